"""Epsilon-greedy: exact chances, ties included."""

from __future__ import annotations

import pytest

from selector import EpsilonGreedy
from selector.decisions import Query
from selector.policies.memory import Memory
from selector.policies.tally import Tally
from tests.selector.worlds import MODELS


def chances(counts: list[float], losses: list[float], epsilon: float = 0.3) -> list[float]:
    return list(EpsilonGreedy(epsilon=epsilon).chances(Memory(Tally(MODELS, counts, losses)), Query(1, MODELS)))


def test_the_best_is_asked_but_for_epsilon() -> None:
    assert chances([10, 10, 10], [1, 4, 6]) == pytest.approx([0.8, 0.1, 0.1])


def test_ties_share_the_greedy_part() -> None:
    assert chances([10, 5, 10], [2, 1, 6]) == pytest.approx([0.45, 0.45, 0.1])


def test_a_model_without_feedback_counts_as_faultless() -> None:
    assert chances([10, 10, 0], [1, 4, 0]) == pytest.approx([0.1, 0.1, 0.8])


def test_without_epsilon_it_is_greedy_with_all_of_it_uniform() -> None:
    assert chances([10, 10, 10], [1, 4, 6], epsilon=0) == [1, 0, 0]
    assert chances([10, 10, 10], [1, 4, 6], epsilon=1) == pytest.approx([1 / 3] * 3)


def test_the_best_is_the_best_of_those_available() -> None:
    state = Memory(Tally(MODELS, [10, 10, 10], [1, 4, 6]))
    assert EpsilonGreedy(epsilon=0).chances(state, Query(1, ("forest:1", "svm:1"))) == [1, 0]
