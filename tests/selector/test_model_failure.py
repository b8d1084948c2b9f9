"""The model-failure benchmark's own code, on made data: who forgives, who never does."""

from __future__ import annotations

from random import Random

import numpy as np

from selector import Exp3, Exp4, Static
from tests.benchmarks.model_failure import Experiment, Row, run_course, run_trial, strays
from tests.benchmarks.recovery import back_after
from tests.selector.worlds import chance_of_so_few

BEST_ERROR, SECOND_ERROR = 0.05, 0.3


def made() -> Experiment:
    """500 images of 4 classes; the last model, the best, fails from query 500 to 1,500 of 2,500."""
    rng = Random(1)
    labels = [rng.randrange(4) for _ in range(500)]
    outputs = [
        tuple(y if rng.random() >= error else (y + 1) % 4 for error in (0.5, SECOND_ERROR, BEST_ERROR)) for y in labels
    ]
    return Experiment(outputs, labels, classes=4, failing=2, failure=(500, 1_500), checkpoints=(499, 1_500, 2_500))


def errors(curve: list[float]) -> list[int]:
    """Errors between the checkpoints: before, during and after the failure."""
    before, until, whole = (round(rate * queries) for rate, queries in zip(curve, made().checkpoints, strict=True))
    return [before, until - before, whole - until]


def test_the_best_model_fails_when_it_should() -> None:
    before, during, after = errors(run_trial(made(), Static(model="m3"), seed=1))
    assert chance_of_so_few(before, 499, 2 * BEST_ERROR) < 1e-3
    assert chance_of_so_few(1_001 - during, 1_001, 0.25) > 1e-6
    assert chance_of_so_few(1_001 - during, 1_001, 0.35) < 1e-3
    assert chance_of_so_few(after, 1_000, 2 * BEST_ERROR) < 1e-6


def test_with_fixed_share_the_vote_forgives_and_without_it_does_not() -> None:
    forgiving = errors(run_trial(made(), Exp4(share=0.001), seed=1))
    published = errors(run_trial(made(), Exp4(share=0), seed=1))
    assert chance_of_so_few(forgiving[2], 1_000, SECOND_ERROR / 2) < 1e-6
    assert chance_of_so_few(1_000 - published[2], 1_000, 1 - SECOND_ERROR / 2) < 1e-6


def test_exp3_leaves_the_model_that_failed() -> None:
    before, during, _ = errors(run_trial(made(), Exp3(share=0), seed=1))
    assert chance_of_so_few(before, 499, 0.28) < 1e-3  # uniform choice errs on .28
    assert chance_of_so_few(during, 1_001, 0.75) < 1e-12  # the failed model errs on .75


def test_a_mean_strays_when_chance_does_not_explain_it() -> None:
    row = Row("", Exp3(), reference=(0.1, 0.2), reference_trials=50)
    assert not strays(row, [0.103, 0.197], [0.001, 0.001], trials=50)
    assert strays(row, [0.103, 0.21], [0.001, 0.001], trials=50)


def test_the_oracle_is_the_best_model_that_is_alive() -> None:
    oracle = run_course(made(), Static(model="m1"), seed=1).oracle
    assert chance_of_so_few(sum(oracle[:499]), 499, 2 * BEST_ERROR) < 1e-3
    assert chance_of_so_few(sum(oracle[500:1_500]), 1_000, SECOND_ERROR + 0.06) < 1e-3
    assert chance_of_so_few(1_000 - sum(oracle[500:1_500]), 1_000, 1 - SECOND_ERROR / 2) < 1e-6


def test_a_policy_is_back_when_a_window_is_near_the_oracle() -> None:
    gaps = np.zeros(2_000)
    gaps[100:700] = 0.5
    assert 590 <= back_after(gaps, 100, 2_000) <= 600
    assert back_after(gaps, 100, 600) == 500
