"""Precedence: whoever was right of late where two differed answers."""

from __future__ import annotations

from math import exp

import pytest

from selector.policies.precedence import Precedence

RATE, SHARE = 0.2, 0.01
SURE, UNSURE = (0.6, 0.2), (0.4, 0.3)  # what the first claims: for its answer, for the second's


def after(*duels: tuple[tuple[float, float], bool]) -> Precedence:
    precedence = Precedence()
    for claims, first_right in duels:
        precedence.learn(*claims, first_right, RATE, SHARE)
    return precedence


def test_the_first_goes_before_until_it_was_wrong() -> None:
    assert Precedence().always_first
    assert not after((UNSURE, False)).always_first
    assert after((UNSURE, False), (UNSURE, True), (UNSURE, True)).always_first


def test_a_first_that_was_wrong_only_where_it_was_unsure_goes_before_where_it_is_sure() -> None:
    precedence = after(*[(UNSURE, False), (SURE, True)] * 10)
    assert precedence.prefers_first(*SURE)
    assert not precedence.prefers_first(*UNSURE)


def test_a_first_that_was_wrong_where_it_was_sure_goes_before_no_more() -> None:
    precedence = after(*[(SURE, False)] * 10)
    assert not precedence.prefers_first(*SURE)


def test_weights_are_exponential_with_fixed_share() -> None:
    precedence, loss = after((SURE, True)), exp(-RATE)
    total = 0.5 + 0.25 + 0.25 * loss
    assert precedence.first == pytest.approx((1 - SHARE) * 0.5 / total + SHARE / 2)
    assert precedence.second == pytest.approx((1 - SHARE) * 0.25 * loss / total + SHARE / 4)


def test_weights_are_bounded_so_that_the_order_can_change() -> None:
    # A rule keeps at least share / 4 of the whole, which 30 duels at a rate of .2 make exp(6) times as much.
    precedence = after(*[(SURE, True)] * 1_000, *[(SURE, False)] * 30)
    assert not precedence.prefers_first(*SURE)


def test_a_first_that_is_held_back_goes_before_where_it_is_sure() -> None:
    precedence = after(*[(UNSURE, True)] * 3)
    precedence.hold_back()
    assert precedence.prefers_first(*SURE)
    assert not precedence.prefers_first(*UNSURE)
