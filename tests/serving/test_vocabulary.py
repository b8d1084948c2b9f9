"""Labels are mapped to the classes that the application lists."""

from __future__ import annotations

import pytest

from selector.decisions import Label, Prediction
from selector.errors import InvalidLabel
from serving.vocabulary import ClassNames


@pytest.mark.parametrize("label", [3, 3.0, "3"])
def test_a_number_or_its_text_is_the_listed_class(label: Label) -> None:
    mapped = ClassNames([1, 2, 3]).of(label)
    assert mapped == 3
    assert type(mapped) is int


def test_classes_listed_apart_stay_apart() -> None:
    names = ClassNames([3, "3", True])
    assert [names.of(label) for label in (3, "3", True)] == [3, "3", True]
    assert names.of(True) is True


@pytest.mark.parametrize("label", [4, "cat", True, 3.5])
def test_anything_else_is_refused_with_the_list(label: Label) -> None:
    with pytest.raises(InvalidLabel, match="not one of the classes 1, 2, 3"):
        ClassNames([1, 2, 3]).of(label)


def test_a_whole_distribution_is_mapped() -> None:
    prediction = Prediction("1", 0.7, (("1", 0.7), (2.0, 0.3)))
    assert ClassNames([1, 2]).of_prediction(prediction) == Prediction(1, 0.7, ((1, 0.7), (2, 0.3)))
