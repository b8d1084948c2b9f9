from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest

from selector.decisions import Label, Prediction
from serving.workers.rows import InvalidRow, plain_labels, read_row

CLASSES = ("cat", "dog", "eel")


@pytest.mark.parametrize(
    ("returned", "labels"),
    [
        ([1, "a", True, 2.5], [1, "a", True, 2.5]),
        ((1, 2), [1, 2]),
        (np.array([1, 2], np.int8), [1, 2]),
        (np.array([0.5, 2], np.float32), [0.5, 2.0]),
        (np.array([True, False]), [True, False]),
        (np.array(["a", "bc"]), ["a", "bc"]),
    ],
)
def test_plain_labels_are_taken_at_once_as_python_values(returned: Any, labels: list[Label]) -> None:
    found = plain_labels(returned)
    assert found == labels
    assert found is not None
    assert [type(label) for label in found] == [type(label) for label in labels]


@pytest.mark.parametrize(
    "returned",
    [
        [1, nan],
        [inf],
        np.array([1, nan]),
        [None],
        [np.float64(1)],
        [[1.0]],
        np.array([[1.0]]),
        np.array([1j]),
        np.array([1], object),
        np.array([1], np.longdouble),
        np.array([b"a"]),
        np.array(["2020-01-01"], "datetime64[ns]"),
    ],
)
def test_anything_else_is_looked_at_row_by_row(returned: Any) -> None:
    assert plain_labels(returned) is None


@pytest.mark.parametrize(
    ("row", "output"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(4), 4),
        (np.array([4.5]), 4.5),
        ([2], 2),
        (2**63 - 1, 2**63 - 1),
        ("größer", "größer"),
    ],
)
def test_a_label_may_be_a_scalar_of_numpy_or_the_only_one_of_a_vector(row: Any, output: Label) -> None:
    found = read_row(row, None)
    assert found == Prediction(output)
    assert type(found.output) is type(output)


@pytest.mark.parametrize("row", [[0.25, 0.5, 0.25], (0.25, 0.5, 0.25), np.array([0.25, 0.5, 0.25], np.float16)])
def test_a_vector_is_the_probabilities_of_the_classes(row: Any) -> None:
    assert read_row(row, CLASSES) == Prediction("dog", 0.5, (("cat", 0.25), ("dog", 0.5), ("eel", 0.25)))


def test_rounding_of_a_sum_does_not_lift_a_score_over_one() -> None:
    assert read_row([1.001, 0.0, 0.0], CLASSES).score == 1.0


def test_a_mapping_says_all() -> None:
    row = {"output": "cat", "score": 0.9, "probabilities": {"cat": 0.9, "dog": 0.1}, "cost": np.float32(2)}
    assert read_row(row, None) == Prediction("cat", 0.9, (("cat", 0.9), ("dog", 0.1)), 2.0)


def test_a_mapping_may_say_less() -> None:
    assert read_row({"output": np.int32(1)}, None) == Prediction(1)
    assert read_row({"output": 1, "score": None, "cost": None}, None) == Prediction(1)


def test_a_score_that_is_not_given_is_the_probability_of_the_output() -> None:
    assert read_row({"output": "eel", "probabilities": [0.5, 0.25, 0.25]}, CLASSES).score == 0.25


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (None, "found NoneType"),
        (b"cat", "found bytes"),
        ({"label": 1}, "expected a mapping of output"),
        ({"output": 1, "scores": 1}, "expected a mapping of output"),
        ({"output": None}, "found NoneType"),
        ({"output": 1, "score": 1.5}, "score: expected a number from 0 to 1"),
        ({"output": 1, "score": nan}, "score"),
        ({"output": 1, "score": "high"}, "score"),
        ({"output": 1, "cost": -1}, "cost"),
        ({"output": 1, "cost": inf}, "cost"),
        (nan, "nan is not a finite number"),
        (-inf, "-inf is not a finite number"),
        (np.float32(nan), "nan is not a finite number"),
        (2**63, "64 bits"),
        ("\ud800", "Unicode"),
        (1j, "found complex"),
        ([], "0 probabilities for 3 classes"),
        ([0.5, 0.5], "2 probabilities for 3 classes"),
        ([0.1, 0.1, 0.1], "they sum to 0.3"),
        ([1.5, -0.5, 0], "the least is -0.5"),
        ([nan, 0.5, 0.5], "they sum to nan"),
        ([inf, 0, 0], "they sum to inf"),
        (["a", "b", "c"], "not probabilities"),
        ([None, 1, 0], "not probabilities"),
        ([[1.0], [0.0], [0.0]], "not probabilities"),
    ],
)
def test_what_is_no_prediction_is_told_why(row: Any, why: str) -> None:
    with pytest.raises(InvalidRow, match=why):
        read_row(row, CLASSES)


def test_a_vector_needs_classes() -> None:
    with pytest.raises(InvalidRow, match="no `classes`"):
        read_row([0.5, 0.5], None)
