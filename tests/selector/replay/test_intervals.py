"""Intervals hold as often as they say."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import binom, norm

from selector import EpsilonGreedy
from selector.replay import LoggedDecisions, evaluate, simulate
from selector.replay.anytime import RunningMean, boundary, lower, paths, upper
from selector.replay.bootstrap import Resamples, distribution
from tests.selector.replay.samples import a_log, a_world, logging, switching, value

LOGS = 100
FEWEST = int(binom.ppf(1e-3, LOGS, 0.95))
"""Fewer of 100 intervals of 95% hold by chance in 1 of 1,000 seeds."""


def test_95_percent_of_them_hold_whatever_the_estimator() -> None:
    held = Counter[str]()
    for seed in range(LOGS):
        world = a_world(250, seed)
        for row in evaluate(a_log(world, seed), {"c": switching(world.x)}, seed=seed):
            held[row.estimator] += row.low <= value(world, switching(world.x)) <= row.high
    assert min(held.values()) >= FEWEST


def test_they_hold_where_the_logging_policy_learns() -> None:
    held = 0
    for seed in range(LOGS):
        world = a_world(200, seed)
        log = simulate(world.rewards, EpsilonGreedy(epsilon=0.3), seed, {"x": world.x})
        (row,) = evaluate(log, {"c": switching(world.x)}, ["dr"])
        held += row.low <= value(world, switching(world.x)) <= row.high
    assert held >= FEWEST


def test_those_for_any_time_hold_at_every_prefix_while_the_world_drifts() -> None:
    n, held = 400, 0
    at = np.arange(10, n + 1, 10)
    for seed in range(LOGS):
        world = a_world(n, seed)
        means = np.clip(world.means + 0.3 * np.sin(np.arange(n) / 60)[:, None], 0, 1)
        rewards = (np.random.default_rng(seed).random((n, 3)) < means).astype(float)
        log = simulate(rewards, logging(world.x), seed)
        chances = switching(world.x)
        lows, highs = paths(chances[np.arange(n), log.actions] / log.probabilities, log.rewards, 0.95, at)
        so_far = np.cumsum((chances * means).sum(axis=1))[at - 1] / at
        held += bool(((lows <= so_far) & (so_far <= highs)).all())
    assert held >= FEWEST


def test_the_boundary_is_crossed_by_a_fair_walk_as_seldom_as_allowed() -> None:
    steps = np.random.default_rng(1).choice([-1.0, 1.0], (300, 500))
    walks, times = steps.cumsum(axis=1), np.arange(1, 501)
    bound = boundary(times.astype(float), 0.05, 100.0)
    crossed = int((walks >= bound).any(axis=1).sum())
    assert crossed <= binom.ppf(0.999, 300, 0.05)


def test_the_boundary_is_little_wider_than_a_normal_interval_where_it_is_tuned() -> None:
    assert norm.ppf(0.975) < boundary(np.array([400.0]), 0.025, 400.0)[0] / 20.0 < 1.7 * norm.ppf(0.975)


def test_a_running_mean_knows_nothing_at_first() -> None:
    mean = RunningMean()
    nothing = np.array([mean.moment()])
    assert (lower(nothing, 0.05, 100)[0], upper(nothing, 0.05, 100, 7.0)[0]) == (0.0, 7.0)
    mean.add(np.ones(1000))
    assert 0.95 < lower(np.array([mean.moment()]), 0.05, 1000)[0] < 1.0


def test_values_come_in_any_portions() -> None:
    values = np.random.default_rng(2).random(100)
    at_once, one_by_one = RunningMean(), RunningMean()
    at_once.add(values)
    for x in values:
        one_by_one.add(np.array([x]))
    assert one_by_one.variation == pytest.approx(at_once.variation)


def test_the_bootstrap_of_a_mean_agrees_with_theory() -> None:
    x = np.random.default_rng(3).normal(size=400)
    sums = {"x": x, "decisions": np.ones(400)}
    resamples = Resamples(400, seed=1)
    known = distribution(lambda s: s["x"] / s["decisions"], sums, resamples.totals(sums))
    assert known.error == pytest.approx(x.std(ddof=1) / 20, rel=1e-9)
    low, high = known.interval(0.95)
    assert (high - low) / 2 == pytest.approx(1.96 * known.error, rel=0.15)


def test_decisions_of_one_user_are_not_independent() -> None:
    """Each user's rewards are all equal: 50 users are 50 observations, however often they come."""
    rng = np.random.default_rng(4)
    users = np.repeat(np.arange(50), 40)
    rewards = (rng.random(50) < 0.5)[users].astype(float)
    actions, half = rng.integers(2, size=2000), np.full(2000, 0.5)
    alone = evaluate(LoggedDecisions(actions, rewards, half), {"c": [0.5, 0.5]}, ["snips"])[0]
    clustered = evaluate(LoggedDecisions(actions, rewards, half, users=users), {"c": [0.5, 0.5]}, ["snips"])[0]
    assert clustered.standard_error == pytest.approx(alone.standard_error * 40**0.5, rel=0.25)


def test_few_decisions_get_the_interval_that_always_holds() -> None:
    world = a_world(20, 1)
    (row,) = evaluate(a_log(world, 1), {"c": switching(world.x)}, ["ips"])
    assert row.interval == "anytime"
    assert any("too few or too uneven decisions" in warning for warning in row.warnings)


def test_the_same_seed_gives_the_same_intervals_and_another_others() -> None:
    world = a_world(300, 1)
    log, chances = a_log(world, 1), switching(world.x)
    first, again, other = (evaluate(log, {"c": chances}, ["dr"], seed=seed)[0] for seed in (1, 1, 2))
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)
