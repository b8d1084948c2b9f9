"""A policy is changed only for one that is better."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace as changed
from numpy.typing import ArrayLike
from scipy.stats import binom

from selector.replay import DEFAULT, Difference, Estimate, Evaluation, LoggedDecisions, evaluate, simulate
from selector.replay.contender import LOGGED
from selector.replay.gate import Ruling, rule
from tests.selector.replay.samples import a_log, a_world, logging, switching, value

WORLD = a_world(2_000, seed=1)
LOG = a_log(WORLD, seed=2)
GAIN = value(WORLD, switching(WORLD.x)) - value(WORLD, logging(WORLD.x))


def ruled(candidates: Mapping[str, ArrayLike], margin: float = 0.0, log: LoggedDecisions = LOG) -> Ruling:
    return rule(evaluate(log, candidates, [DEFAULT]), margin)


def test_a_better_policy_is_adopted_and_a_worse_one_is_not() -> None:
    found = ruled({"better": switching(WORLD.x), "worse": [0.0, 0.0, 1.0]})
    assert found.adopt == "better"
    assert "beats the current" in found.reasons["better"]
    assert "does not beat the current" in found.reasons["worse"]


def test_not_if_it_is_better_by_less_than_the_margin() -> None:
    assert ruled({"better": switching(WORLD.x)}, margin=GAIN / 2).adopt == "better"
    assert ruled({"better": switching(WORLD.x)}, margin=GAIN).adopt is None


def test_a_difference_that_could_be_none_is_not_enough() -> None:
    """A lower bound above what the current policy happened to get does not allow for the noise in that."""
    row = Estimate(candidate="c", estimator="dr", value=0.6, low=0.52, high=0.68, effective_sample_size=500)
    logged = changed(row, candidate=LOGGED, value=0.5, low=0.42, high=0.58)
    unsure = rule(Evaluation([row], logged, [Difference("c", LOGGED, 0.1, -0.01, 0.21)]), 0.0)
    assert unsure.adopt is None
    assert "the lower bound of their difference, -0.0100, is not above 0" in unsure.reasons["c"]
    assert rule(Evaluation([row], logged, [Difference("c", LOGGED, 0.1, 0.01, 0.19)]), 0.0).adopt == "c"
    assert rule(Evaluation([row], logged, [Difference("c", LOGGED, 0.1, 0.01, 0.19)]), 0.015).adopt is None


def test_of_several_the_one_with_the_highest_lower_bound() -> None:
    mixed = 0.7 * switching(WORLD.x) + 0.3 * logging(WORLD.x)
    assert ruled({"mixed": mixed, "better": switching(WORLD.x)}).adopt == "better"


def test_what_the_log_cannot_know_is_never_adopted() -> None:
    found = ruled({"new": [0.0, 0.0, 0.0, 1.0], "partly": [0.5, 0.4, 0.0, 0.1]})
    assert found.adopt is None
    assert "100.0% of its choices are never made in the log" in found.reasons["new"]


def test_nothing_is_adopted_on_probabilities_by_which_nobody_chose() -> None:
    wrong = LoggedDecisions(LOG.actions, LOG.rewards, LOG.probabilities**1.5)
    found = ruled({"better": switching(WORLD.x)}, log=wrong)
    assert found.adopt is None
    assert "the logged probabilities are not those" in found.reasons["better"]


def test_of_three_that_are_as_good_as_the_current_hardly_ever_one_passes() -> None:
    """Each side of 95% intervals for all differences at once leaves 2.5%; more of 60 logs only by a chance of .001."""
    passed = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        coins = (rng.random((200, 3)) < 0.5).astype(float)
        log = simulate(coins, [0.4, 0.3, 0.3], seed)
        alike = {f"c{j}": rng.dirichlet(np.ones(3)) for j in range(3)}
        passed += ruled(alike, log=log).adopt is not None
    assert passed <= binom.ppf(0.999, 60, 0.025)
