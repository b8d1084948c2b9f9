"""Precedence: whoever was right of late where two differed answers."""

from __future__ import annotations

from math import exp

import pytest

from selector.policies.precedence import Precedence

RATE, SHARE = 0.2, 0.01


def after(*first_right: bool) -> Precedence:
    precedence = Precedence()
    for right in first_right:
        precedence.learn(right, not right, RATE, SHARE)
    return precedence


def test_the_first_goes_before_until_the_second_has_been_right_more_often() -> None:
    assert Precedence().first
    assert not after(False).first
    assert after(False, True, True).first


def test_where_both_are_right_or_both_wrong_nothing_is_learned() -> None:
    precedence = after(True)
    lead = precedence.lead
    precedence.learn(True, True, RATE, SHARE)
    precedence.learn(False, False, RATE, SHARE)
    assert precedence.lead == lead


def test_weights_are_exponential_with_fixed_share() -> None:
    weight = (1 - SHARE) / (1 + exp(-RATE)) + SHARE / 2
    assert exp(after(True).lead) == pytest.approx(weight / (1 - weight))


def test_a_lead_is_bounded_so_that_the_order_can_change() -> None:
    precedence = after(*[True] * 1_000, *[False] * 30)  # a weight of at most 1 - share / 2 is lost in ln(199) / .2
    assert not precedence.first
