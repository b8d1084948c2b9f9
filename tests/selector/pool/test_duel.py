"""Two models that disagree."""

from __future__ import annotations

from math import log
from random import Random

from selector.pool.voter import Duel


def test_the_log_odds_are_those_of_the_counts() -> None:
    duel, rng = Duel(), Random(1)
    for _ in range(900):
        right = rng.choices(("first", "second", "neither"), (6, 3, 1))[0]
        duel.add(0, float(right == "first"), float(right == "second"))
    first, second, neither, odds, others = duel.by_score[0]
    assert first + second + neither == 900
    assert abs(odds - log(first / neither)) < 0.05  # shrunk
    assert abs(others - log(second / neither)) < 0.05


def test_scores_that_have_not_been_met_are_taken_to_be_like_others() -> None:
    duel = Duel()
    for i in range(400):
        duel.add(i % 3, float(i % 4 > 0), float(i % 4 == 0))
    known, new = duel.by_score[0], duel.anywhere()
    assert abs(new[3] - new[4] - (known[3] - known[4])) < 0.2


def test_among_two_classes_one_of_two_is_always_right_and_odds_stay_finite() -> None:
    duel = Duel()
    for i in range(60_000):
        duel.add(0, float(i % 3 > 0), float(i % 3 == 0))
    assert 0 < duel.by_score[0][4] < duel.by_score[0][3] < 13  # log(1,000 labels / what is granted, 4 / 1,003)
