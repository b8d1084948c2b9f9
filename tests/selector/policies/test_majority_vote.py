"""Majority vote: one vote each, the median of numbers."""

from __future__ import annotations

import pytest

from selector import MajorityVote
from selector.decisions import Answer, Label, Prediction, Query, Selection
from selector.policy import Task
from tests.selector.worlds import MODELS


def answer(task: Task, said: dict[str, Label]) -> Answer:
    policy = MajorityVote(task=task)
    predictions = {model: Prediction(output) for model, output in said.items()}
    return policy.combine(policy.initial_state(MODELS), Query(1, MODELS), (Selection(MODELS, 1.0),), predictions)


def test_most_votes_win() -> None:
    given = answer("classification", {"cnn:1": "cat", "forest:1": "dog", "svm:1": "dog"})
    assert given.output == "dog"
    assert given.confidence == pytest.approx(2 / 3)


def test_a_tie_goes_to_the_first_by_name() -> None:
    assert answer("classification", {"svm:1": "dog", "cnn:1": "cat"}).output == "cat"


def test_numbers_are_answered_by_their_median() -> None:
    assert answer("regression", {"cnn:1": 1.0, "forest:1": 3, "svm:1": 1e9}) == Answer(3.0, 1.0)


def test_what_is_no_number_counts_as_missing() -> None:
    given = answer("regression", {"cnn:1": 1.0, "forest:1": "three", "svm:1": 3.0})
    assert given.output == 2.0
    assert given.confidence == pytest.approx(2 / 3)
