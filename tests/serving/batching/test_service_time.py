"""The smoothed service time."""

from __future__ import annotations

from random import Random

import pytest

from serving.batching.service_time import ServiceTime


def test_it_starts_with_the_first_and_knows_that_this_says_little() -> None:
    service = ServiceTime()
    service.add(0.010)
    assert (service.mean, service.most) == (0.010, 0.030)


def test_it_converges_on_steady_times() -> None:
    service = ServiceTime()
    for _ in range(100):
        service.add(0.010)
    assert service.most == pytest.approx(0.010)


def test_few_batches_exceed_the_most() -> None:
    rng, service, exceeded = Random(3), ServiceTime(), 0
    for number in range(2000):
        seconds = 0.010 * rng.gauss(1.0, 0.1)
        exceeded += number >= 100 and seconds > service.most
        service.add(seconds)
    assert service.mean == pytest.approx(0.010, rel=0.1)
    assert exceeded < 100  # of 1900
