"""What is no log, and what is no candidate: one sentence each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from selector import Exp4, Static, Vowpal
from selector.errors import WindjammerError
from selector.replay import InvalidCandidate, InvalidLog, LoggedDecisions, evaluate


def a_log(**changed: Any) -> LoggedDecisions:
    columns: dict[str, Any] = {"actions": [0, 1, 1], "rewards": [1, 0, 1], "probabilities": [0.5, 0.5, 0.5]}
    return LoggedDecisions(**{**columns, **changed})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rewards": [1, float("nan"), 0]}, r"reward must be a finite number; row 2 has nan \(1 such rows\)"),
        ({"rewards": ["a", "b", "c"]}, "rewards: expected numbers"),
        ({"probabilities": [0.5, 0.0, 0.0]}, r"must be above 0 and at most 1; row 2 has 0.0 \(2 such rows\)"),
        ({"probabilities": [0.5, 1.5, 0.5]}, "row 2 has 1.5"),
        ({"probabilities": [0.5, float("nan"), 0.5]}, "row 2 has nan"),
        ({"actions": [], "rewards": [], "probabilities": []}, "the log is empty"),
        ({"rewards": [1, 0]}, r"rewards: expected 3 values, one a decision, found \(2,\)"),
        ({"users": ["ann"]}, "users: expected 3 values"),
        ({"users": ["ann", None, "bob"]}, "a decision needs a user; row 2 has None"),
        ({"contexts": {"age": [1, 2]}}, "context 'age': expected 3 values"),
        ({"contexts": [{"age": 1}, {"age": 2}, {"sex": "f"}]}, "context: row 1 lacks 'sex'"),
    ],
)
def test_a_log_that_is_none_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidLog, match=said):
        a_log(**changed)


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ([0.5, 0.4], r"probabilities must be at least 0 and sum to one; those of row 1 sum to 0.9 \(1 such rows\)"),
        ([[0.5, 0.5], [1.5, -0.5], [0.5, 0.5]], "one of row 2 is -0.5"),
        ([[0.5, 0.5], [0.5, float("nan")], [0.5, 0.5]], "those of row 2"),
        ([[0.5, 0.5]], "expected 3 x 2 probabilities, found 1 x 2"),
        ([1.0], "candidates have 1 columns, the log has 2 different actions"),
        ("exp3", "expected a policy or probabilities"),
        ([[[1.0]]], "found 3 dimensions"),
        (Exp4(), "exp4 asks several models at once"),
        (Vowpal(), "vowpal chooses by context, and the log has no contexts"),
        (Static(model="svm"), "chooses none of 0, 1"),
    ],
)
def test_a_candidate_that_is_none_is_refused(candidate: Any, said: str) -> None:
    with pytest.raises(InvalidCandidate, match=said):
        evaluate(a_log(), {"c": candidate})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"confidence": 95}, "confidence: expected a number between 0 and 1, found 95"),
        ({"seed": -1}, "seed: expected a number that is at least 0, found -1"),
        ({"reward_model": np.zeros((2, 2))}, "reward_model: expected 3 x 2 finite numbers, found 2 x 2"),
        ({"reward_model": np.full((3, 2), np.nan)}, "reward_model: expected 3 x 2 finite numbers"),
        ({"estimators": ["isp"]}, "unknown estimator 'isp'"),
    ],
)
def test_settings_that_are_none_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidCandidate, match=said):
        evaluate(a_log(), {"c": [0.5, 0.5]}, **settings)


def test_no_candidate_is_refused() -> None:
    with pytest.raises(InvalidCandidate, match="at least one candidate"):
        evaluate(a_log(), {})


def test_errors_are_of_the_one_tree_and_also_value_errors() -> None:
    assert issubclass(InvalidLog, WindjammerError)
    assert issubclass(InvalidLog, ValueError)
    assert issubclass(InvalidCandidate, ValueError)


def test_contexts_may_be_an_array_columns_or_rows() -> None:
    expected = {"context_0": [1, 2, 3], "context_1": [4, 5, 6]}
    array = a_log(contexts=np.array([[1, 4], [2, 5], [3, 6]]))
    assert {name: column.tolist() for name, column in array.contexts.items()} == expected
    rows = a_log(contexts=[{"age": 1, "sex": "f"}, {"age": 2, "sex": "m"}, {"age": 3, "sex": "f"}])
    assert rows.contexts["sex"].tolist() == ["f", "m", "f"]


def test_published_probabilities_may_be_rounded() -> None:
    assert evaluate(a_log(), {"c": [0.3333, 0.6666]}, ["ips"])[0].value == pytest.approx(2 * 0.9999 / 3)
