"""Intervals hold as often as they say."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, norm, t

from selector import EpsilonGreedy
from selector.replay import LoggedDecisions, evaluate, simulate
from selector.replay.anytime import Capital, ConfidenceSequence, bets, held, of_rewards, of_total
from selector.replay.bootstrap import Distribution, Resamples, distribution
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
    n, always = 400, 0
    for seed in range(LOGS):
        world = a_world(n, seed)
        means = np.clip(world.means + 0.3 * np.sin(np.arange(n) / 60)[:, None], 0, 1)
        rewards = (np.random.default_rng(seed).random((n, 3)) < means).astype(float)
        log = simulate(rewards, logging(world.x), seed)
        chances = switching(world.x)
        so_far = np.cumsum((chances * means).sum(axis=1)) / np.arange(1, n + 1)
        weights = chances[np.arange(n), log.actions] / log.probabilities
        always += bool(held(weights, log.rewards, so_far, 0.95).all())
    assert always >= FEWEST


@pytest.mark.parametrize("shares", [(0.4, 0.4, 0.2), (0.55, 0.4, 0.05)], ids=["mean 1", "mean below 1"])
def test_an_interval_holds_what_is_between_its_ends(shares: tuple[float, ...]) -> None:
    """As told for every moment at once, and as told in the course of the log; a far too small weight is missing."""
    rng = np.random.default_rng(5)
    weights, rewards = rng.choice([0.0, 0.8, 3.0], 600, p=shares), (rng.random(600) < 0.4).astype(float)
    sought = np.linspace(0.005, 0.995, 100)
    at_once = np.array([held(weights, rewards, np.full(600, each), 0.95) for each in sought])
    sequence = ConfidenceSequence(600, 3.0)
    for start in range(0, 600, 20):
        sequence.add(weights[start : start + 20], rewards[start : start + 20])
        low, high = sequence.interval(0.95)
        assert at_once[:, start + 19].tolist() == ((low <= sought) & (sought <= high)).tolist()
    assert 0.05 < low < 0.35
    assert 0.45 < high < 0.95


def test_fair_bets_multiply_the_capital_as_seldom_as_allowed() -> None:
    """Though the chance of each value follows those before, and nobody knows the largest."""
    crossed = 0
    for seed in range(200):
        rng, capital, mean, truth = np.random.default_rng(seed), Capital(bets(400)), 0.3, 0.4
        bounds = []
        for _ in range(20):
            x = (rng.random(20) < mean) / mean * truth
            capital.add(x)
            bounds.append(capital.bound(0.05, 0.0))
            mean = 0.05 + 0.5 * float(x.mean() > truth)
        crossed += max(bounds) > truth
    assert crossed <= binom.ppf(0.999, 200, 0.05)


@pytest.mark.parametrize(("n", "chance"), [(400, 0.5), (10_000, 0.5), (10_000, 0.1)])
def test_it_is_less_than_twice_as_wide_as_a_normal_interval_where_that_holds(n: int, chance: float) -> None:
    rewards = np.zeros(n)
    rewards[: int(n * chance)] = 1.0
    low, high = of_rewards(np.random.default_rng(1).permutation(rewards), 0.95)
    assert low < chance < high
    assert norm.ppf(0.975) < (high - low) / 2 / (chance * (1 - chance) / n) ** 0.5 < 2 * norm.ppf(0.975)


def test_of_a_sum_alone_as_much_is_known_as_of_as_many_0s_and_1s() -> None:
    rng = np.random.default_rng(9)
    coins, shares = (rng.random(500) < 0.1).astype(float), rng.random(500)
    assert of_total(coins.sum(), 500, 0.95) == pytest.approx(of_rewards(coins, 0.95))
    (low, high), (lowest, highest) = of_rewards(shares, 0.95), of_total(shares.sum(), 500, 0.95)
    assert lowest < low < shares.mean() < high < highest


def test_nothing_is_known_at_first_and_only_as_much_as_was_seen_later() -> None:
    sequence = ConfidenceSequence(1_000, 5.0)
    assert sequence.interval(0.95) == (0.0, 1.0)
    sequence.add(np.ones(1_000), np.ones(1_000))
    low, high = sequence.interval(0.95)
    assert 0.98 < low < high == 1.0


def test_a_mean_weight_far_below_1_says_that_the_largest_has_not_been_seen() -> None:
    sequence = ConfidenceSequence(1_000, 0.5)
    sequence.add(np.full(1_000, 0.5), np.zeros(1_000))
    assert sequence.interval(0.95)[1] > 0.4


def test_values_come_in_any_portions() -> None:
    values = np.random.default_rng(2).random(100) * 3
    at_once, one_by_one = Capital(bets(100)), Capital(bets(100))
    at_once.add(values)
    for x in values:
        one_by_one.add(np.array([x]))
    assert one_by_one.bound(0.05, 0.0) == pytest.approx(at_once.bound(0.05, 0.0))


def of_mean(x: NDArray[np.float64]) -> Distribution:
    sums = {"x": x, "decisions": np.ones(len(x))}
    return distribution(lambda s: s["x"] / s["decisions"], sums, Resamples(len(x), seed=1).totals(sums))


def test_the_bootstrap_of_a_mean_agrees_with_theory() -> None:
    x = np.random.default_rng(3).normal(size=400)
    known = of_mean(x)
    assert known.error == pytest.approx(x.std(ddof=1) / 20, rel=1e-9)
    low, high = known.interval(0.95)
    assert known.value - low == pytest.approx(1.96 * known.error, rel=0.15)
    assert high - known.value == pytest.approx(1.96 * known.error, rel=0.15)


DRAWS = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
"""A standard normal bootstrap distribution."""


def test_the_bootstrap_leans_away_from_a_bias_of_its_draws() -> None:
    """Draws that lie half a deviation too high: the statistic does too, so the interval is that much lower."""
    low, high = Distribution(0.0, DRAWS + 0.5, np.tile([1.0, -1.0], 500)).interval(0.95)
    assert (low, high) == pytest.approx((-0.5 - 1.96, -0.5 + 1.96), abs=0.02)


def test_the_bootstrap_leans_towards_the_longer_tail() -> None:
    known = Distribution(0.0, DRAWS, np.log1p(-(np.arange(60) + 0.5) / 60))
    assert known.skewness == pytest.approx(2 / 60**0.5, rel=0.2), "that of an exponential mean"
    low, high = known.interval(0.95)
    level = 1 - 0.025 / (1 + 8 * known.skewness)
    z, a = t.ppf(level, known.freedom) * (60 / 59) ** 0.5, known.skewness / 6
    assert (low, high) == pytest.approx((-z / (1 + a * z), z / (1 - a * z)), rel=0.02)


def test_few_observations_know_their_own_spread_less_well() -> None:
    """Student's t of 9 degrees of freedom: 2.26, not 1.96."""
    known = of_mean(norm.ppf((np.arange(10) + 0.5) / 10))
    low, high = known.interval(0.95)
    assert known.freedom == 9
    assert (high - low) / 2 == pytest.approx(2.26 * known.error, rel=0.06)


def test_a_spread_that_few_of_many_make_is_as_little_known_as_that_of_few() -> None:
    even = np.where(np.arange(1_000) % 2 == 0, 1.0, -1.0)
    heavy = np.where(np.arange(1_000) < 20, 30.0 * even, 0.01 * even)
    assert of_mean(even).freedom == 999
    normal = norm.ppf((np.arange(1_000) + 0.5) / 1_000)
    assert of_mean(normal).freedom == pytest.approx(999, rel=0.05)
    assert of_mean(heavy).freedom == pytest.approx(2 / (1 / 20 - 1 / 1_000), rel=1e-3)


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
    assert row.low == min(row.bootstrap_low, row.anytime_low) < row.anytime_high <= row.high
    assert row.low == row.anytime_low
    assert any("too few or too uneven decisions" in warning for warning in row.warnings)


@pytest.mark.parametrize(("chosen", "interval"), [(350, "anytime"), (450, "bootstrap"), (650, "anytime")])
def test_weights_far_from_a_mean_of_1_get_the_interval_that_always_holds(chosen: int, interval: str) -> None:
    log = LoggedDecisions([0] * chosen + [1] * (1_000 - chosen), [0, 1] * 500, [0.5] * 1_000)
    (row,) = evaluate(log, {"c": [1.0, 0.0]}, ["snips"])
    assert row.interval == interval


def test_the_same_seed_gives_the_same_intervals_and_another_others() -> None:
    world = a_world(300, 1)
    log, chances = a_log(world, 1), switching(world.x)
    first, again, other = (evaluate(log, {"c": chances}, ["dr"], seed=seed)[0] for seed in (1, 1, 2))
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)
