"""What is seen where some models have answered."""

from __future__ import annotations

import pytest

from selector.cascade.odds import log_odds
from selector.cascade.stage import Stage
from selector.cascade.view import bins_at, keys_at, offset_keys
from selector.decisions import Prediction
from selector.pool import Pool

MODELS = ("big", "small", "tiny")
SAID = {"big": Prediction("cat"), "small": Prediction("cat"), "tiny": Prediction("dog")}
SHIFTS = {"big": 2.0, "small": 1.0, "tiny": -9.0}


def practised() -> Stage:
    stage = Stage(Pool().with_models(MODELS))
    for i in range(60):
        cat = i % 3 > 0
        stage.learn(stage.view(7, SAID, {}), SAID, {"big": cat, "small": cat, "tiny": not cat}, cat)
    return stage


def test_what_the_query_adds_is_the_mean_over_those_who_gave_the_answer_and_moves_all_that_decides() -> None:
    stage = practised()
    plain, shifted = stage.view(7, SAID, {}), stage.view(7, SAID, SHIFTS)
    assert log_odds(shifted.confidence) == pytest.approx(log_odds(plain.confidence) + 1.5)
    x = log_odds(plain.calibrated) + 1.5
    assert (shifted.keys, shifted.bins) == (keys_at(x, plain.label_id), bins_at(x, plain.label_id))
    assert (shifted.label, shifted.claim, shifted.calibrated) == (plain.label, plain.claim, plain.calibrated)


def test_what_the_query_adds_is_no_part_of_what_is_learned_of_a_label() -> None:
    stage = practised()
    view = stage.view(7, SAID, SHIFTS)
    at = offset_keys(log_odds(view.calibrated), view.label_id)
    known, beside = stage.offsets.weight(at[-1]), stage.offsets.weight(view.keys[-1])
    stage.learn(view, SAID, {}, True)
    assert stage.offsets.weight(at[-1]) > known
    assert stage.offsets.weight(view.keys[-1]) == beside


def test_a_label_that_the_pool_does_not_know_has_no_number() -> None:
    stage = practised()
    assert stage.view(1, {"big": Prediction("horse")}, {}).label_id == 0
    assert stage.view(1, {"big": Prediction("cat")}, {}).label_id > 0
