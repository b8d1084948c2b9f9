"""Static: the model that was named, and nobody else."""

from __future__ import annotations

from random import Random

import pytest

from selector import Static
from selector.decisions import Answer, Prediction, Query, Selection

MODELS = ("cnn:1", "cnn:1.10", "cnn:1.9", "svm:1", "svm:2")


@pytest.mark.parametrize(
    ("model", "asked"), [("svm:1", "svm:1"), ("svm", "svm:2"), ("cnn", "cnn:1.10"), ("cn", None), ("svm:3", None)]
)
def test_a_name_means_its_newest_version(model: str, asked: str | None) -> None:
    policy = Static(model=model)
    selection = policy.select(policy.initial_state(MODELS), Query(1, MODELS), (), {}, Random(1))
    assert selection == (None if asked is None else Selection((asked,), 1.0))


def test_the_confidence_is_the_models_own_score() -> None:
    policy = Static(model="svm:1")
    asked = (Selection(("svm:1",), 1.0),)
    state, query = policy.initial_state(MODELS), Query(1, MODELS)
    assert policy.combine(state, query, asked, {"svm:1": Prediction(3, score=0.9)}) == Answer(3, 0.9)
    assert policy.combine(state, query, asked, {"svm:1": Prediction(3)}) == Answer(3, None)
    assert policy.combine(state, query, asked, {}) == Answer(None)
