"""Errors of a model, told from the queries at which it was asked."""

from __future__ import annotations

from random import Random

import pytest

from selector.cascade.ledger import Ledger
from selector.cascade.stage import Stage
from selector.cascade.survey import Survey
from selector.cascade.unasked import Unasked
from selector.cascade.view import View, keys_of
from selector.decisions import Prediction
from selector.pool import Pool

MODEL, MASK = 1, 1
SURE, UNSURE = keys_of(2 * 16 + 12), keys_of(2 * 16 + 2)
"""Where the cascade stops, and where it asks on."""
ERRORS = {(SURE, True): 0.02, (SURE, False): 0.9, (UNSURE, True): 0.2, (UNSURE, False): 0.6}


def answered(stage: Stage, keys: tuple[int, ...], correct: bool, right: bool) -> None:
    """The stage learns whether the model was right."""
    stage.others.setdefault(MODEL, Unasked()).add(keys[-1], 0.8, correct, right)


def surveyed(rng: Random, chance: float, queries: int) -> tuple[Survey, Stage, int]:
    """The survey of a model that is asked for certain where the cascade is unsure and by this chance elsewhere."""
    survey, stage, errors = Survey(), Stage(), 0
    for _ in range(queries):
        keys = SURE if rng.random() < 0.6 else UNSURE
        correct = rng.random() < (0.95 if keys is SURE else 0.6)
        wrong = rng.random() < ERRORS[keys, correct]
        errors += wrong
        if keys is UNSURE or rng.random() < chance:
            survey.know(wrong)
            answered(stage, keys, correct, not wrong)
        else:
            survey.miss(MASK, keys[-1], correct)
    return survey, stage, errors


@pytest.mark.parametrize("chance", [0.02, 0.1, 0.5])
def test_errors_are_told_without_asking_each_time_and_so_is_their_uncertainty(chance: float) -> None:
    off = []
    for seed in range(40):
        survey, stage, errors = surveyed(Random(seed), chance, 3_000)
        estimate, variance = survey.estimate({MASK: stage}, MODEL, 0.8)
        off.append((estimate - errors) / variance**0.5)
    # chi square of 40: each a chance of .002 at most if the variance is right; it is two thirds of what is claimed
    assert 0.29 < sum(z * z for z in off) / len(off) < 1.76
    assert abs(sum(off)) / len(off) ** 0.5 < 4.5  # a coarse prior may pull a little to one side


def test_one_answer_does_not_count_for_all_that_were_not_asked() -> None:
    survey, stage = Survey(), Stage()
    for _ in range(100):
        survey.miss(MASK, SURE[-1], True)
    before, doubt = survey.estimate({MASK: stage}, MODEL, 0.9)
    answered(stage, SURE, True, False)
    after, _ = survey.estimate({MASK: stage}, MODEL, 0.9)
    assert before == pytest.approx(10.0)
    assert before <= after < 60.0  # it is one of five in its bin, and with its label; and it moves the line
    assert doubt > 100.0


def test_nothing_is_uncertain_where_all_were_asked() -> None:
    survey = Survey()
    for wrong in (True, False, True):
        survey.know(wrong)
    assert survey.estimate({}, MODEL, 0.5) == (2.0, 0.0)


def test_old_queries_fade() -> None:
    survey = Survey()
    survey.know(True)
    survey.miss(MASK, SURE[-1], False)
    survey.fade(0.5)
    assert survey.estimate({}, MODEL, 0.5)[0] == pytest.approx(0.75)


def test_errors_of_a_model_that_has_changed_are_those_of_the_latest_queries() -> None:
    """Of the queries that count, more than 85 in 100 came after the change: nothing older may outweigh them."""
    rng, stage, ledger = Random(1), Stage(), Ledger().with_models(("dear",), 10.0, False)
    view = View(MASK, "cat", 0.9, 0.9, 0.9, SURE, ((1.0, SURE),))
    for i in range(140_000):
        wrong = rng.random() < (0.4 if i < 100_000 else 0.05)
        ledger.enter(1.0, {MASK: stage})
        if rng.random() < 0.1:
            ledger.compare(("dear",), wrong, {"dear": not wrong}, view, True)
            stage.learn_other(view, MODEL, 0.7, not wrong, True)
        else:
            ledger.compare(("dear",), wrong, {}, view, True)
    (account,) = ledger.accounts.values()
    estimate, variance = account.survey.estimate({MASK: stage}, MODEL, 0.7)
    assert abs(estimate - account.ours) < 4.5 * variance**0.5  # the cascade erred just where the model did


def test_no_more_strata_than_can_be_remembered() -> None:
    survey = Survey()
    for label in range(5_000):
        survey.miss(MASK, 32 * (label + 1) + label % 16, True)
    assert len(survey.unseen[MASK]) <= 1024 + 32
    assert sum(survey.unseen[MASK].values()) == 5_000


def test_however_many_sets_of_models_answer_memory_is_bounded_and_no_query_is_lost() -> None:
    survey = Survey()
    for mask in range(1, 1_001):
        survey.miss(mask, SURE[-1], True)
    assert len(survey.unseen) <= 129
    assert survey.estimate({}, MODEL, 0.75)[0] == 250.0


def test_the_finest_key_of_a_view_tells_the_others() -> None:
    stage = Stage(Pool().with_models(("cnn",)))
    for score in (0.2, 0.6, 0.99):
        view = stage.view(MASK, {"cnn": Prediction("cat", score=score)}, {})
        assert keys_of(view.keys[-1]) == view.keys
