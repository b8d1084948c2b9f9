"""Calibration: claims that come to mean what they say."""

from __future__ import annotations

from itertools import pairwise
from math import exp, log, sqrt
from random import Random

import pytest

from selector.calibration import Calibration


def trained(offset: float, slope: float, labels: int, calibration: Calibration, rng: Random) -> Calibration:
    """Fed claims whose true log odds are slope * log odds + offset."""
    for _ in range(labels):
        claim = rng.uniform(0.3, 0.99)
        calibration.add(claim, rng.random() < truth(claim, offset, slope))
    return calibration


def truth(claim: float, offset: float, slope: float) -> float:
    return 1 / (1 + exp(-slope * log(claim / (1 - claim)) - offset))


def test_it_begins_by_believing_the_claim() -> None:
    assert abs(Calibration()(0.8) - 0.8) < 1e-12


def test_it_converges_for_claims_too_bold_or_too_shy() -> None:
    for offset, slope in ((-1.0, 0.5), (0.5, 2.0), (0.0, 1.0)):
        calibration = trained(offset, slope, 4_000, Calibration(), Random(2))
        for claim in (0.4, 0.6, 0.8, 0.95):
            assert abs(calibration(claim) - truth(claim, offset, slope)) < 0.05


def test_it_follows_a_change() -> None:
    rng = Random(4)
    calibration = trained(1.0, 1.0, 3_000, Calibration(), rng)
    trained(-1.0, 1.0, 6_000, calibration, rng)
    assert abs(calibration(0.8) - truth(0.8, -1.0, 1.0)) < 0.06


def test_claims_that_hardly_vary_do_not_lead_it_away() -> None:
    """There the slope is anybody's guess, and is cut: what is claimed must remain what comes true."""
    for spread in (0.02, 0.1):
        calibration, rng = Calibration(), Random(1)
        for learned in range(20_000):
            claim = 1 / (1 + exp(-1.65 - rng.gauss(0, spread)))
            calibration.add(claim, rng.random() < 0.84)
            assert learned < 2_000 or abs(calibration(0.84) - 0.84) < 0.08


@pytest.mark.parametrize("claim", [0.5, 0.9, 1.0])
def test_a_claim_that_is_always_the_same_comes_to_mean_its_share_however_long(claim: float) -> None:
    calibration, rng = Calibration(), Random(1)
    for _ in range(100_000):
        calibration.add(claim, rng.random() < 0.8)
    assert abs(calibration(claim) - 0.8) < 4.5 * sqrt(0.8 * 0.2 / 3_000)


def test_where_claims_hardly_vary_no_single_label_decides_the_slope() -> None:
    for claim, right in ((0.86, False), (0.95, True), (0.7, True), (0.3, False)):
        calibration, rng = Calibration(), Random(1)
        for _ in range(20_000):
            calibration.add(0.84, rng.random() < 0.84)
        before = calibration(0.99)
        calibration.add(claim, right)
        assert abs(calibration(0.99) - before) < 0.01


def test_it_is_strictly_increasing_whatever_it_is_fed() -> None:
    calibration, rng = Calibration(), Random(6)
    for _ in range(2_000):
        claim = rng.random()
        calibration.add(claim, rng.random() < 1 - claim)
    claims = [calibration(i / 100) for i in range(1, 100)]
    assert all(less < more for less, more in pairwise(claims))
