"""Estimates: the formulas of the papers, computed here once more by hand."""

from __future__ import annotations

import numpy as np
import pytest

from selector.replay import ESTIMATORS, Estimate, Evaluation, InvalidCandidate, LoggedDecisions, evaluate, simulate
from selector.replay.estimators import Limits
from selector.replay.reward_model import FOLDS, RewardModel
from selector.replay.source import Part
from tests.selector.replay.samples import a_log, a_world, switching, value

WORLD = a_world(2_500, seed=3)
LOG = a_log(WORLD, seed=4)
CANDIDATE = 0.8 * switching(WORLD.x) + 0.2 / 3
MODEL = WORLD.means * 0.9 + 0.03  # wrong, but not by much
ROWS = np.arange(len(LOG))
W = CANDIDATE[ROWS, LOG.actions] / LOG.probabilities
R = LOG.rewards
D = (CANDIDATE * MODEL).sum(axis=1)
E = R - MODEL[ROWS, LOG.actions]
LIMITS = Limits(len(LOG), float((W**2).mean()), float(W.max()))


def by_name(evaluation: Evaluation, candidate: str = "c") -> dict[str, Estimate]:
    return {row.estimator: row for row in evaluation if row.candidate == candidate}


@pytest.fixture(scope="module")
def rows() -> dict[str, Estimate]:
    return by_name(evaluate(LOG, {"c": CANDIDATE}, reward_model=MODEL))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ips", (W * R).mean()),
        ("snips", (W * R).sum() / W.sum()),
        ("clipped", (np.minimum(W, LIMITS.tau) * R).mean()),
        ("subgaussian", (W / (1 - LIMITS.smoothing + LIMITS.smoothing * W) * R).mean()),
        ("dm", D.mean()),
        ("dr", (D + W * E).mean()),
        ("sndr", D.mean() + (W * E).sum() / W.sum()),
        ("switch", (D + W * (LIMITS.tau >= W) * E).mean()),
        ("dros", (D + LIMITS.shrinkage * W / (W**2 + LIMITS.shrinkage) * E).mean()),
    ],
)
def test_follows_its_formula(rows: dict[str, Estimate], name: str, expected: float) -> None:
    assert rows[name].value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("bias", [0.0, 0.03, -0.1])
def test_the_blend_corrects_the_model_as_far_as_its_residuals_are_no_noise(bias: float) -> None:
    found = by_name(evaluate(LOG, {"c": CANDIDATE}, ["blend"], reward_model=MODEL + bias))["blend"].value
    b = (W * (E - bias)).sum() / W.sum()
    noise = ((W * (E - bias - b)) ** 2).sum() / len(LOG) ** 2
    assert found == pytest.approx(D.mean() + bias + b * max(0.0, 1.0 - noise / b**2), rel=1e-9)


def test_heavy_weights_are_clipped_switched_off_and_shrunk() -> None:
    """Of 2,500 decisions, above 10."""
    log = simulate(WORLD.rewards, [0.02, 0.49, 0.49], 5)
    found = by_name(evaluate(log, {"c": [0.9, 0.1, 0.0]}, ["clipped", "switch", "dros"], reward_model=MODEL))
    w = np.array([0.9 / 0.02, 0.1 / 0.49, 0.0])[log.actions]
    model, residual = MODEL @ [0.9, 0.1, 0.0], log.rewards - MODEL[ROWS, log.actions]
    assert found["clipped"].value == pytest.approx((np.minimum(w, 10.0) * log.rewards).mean())
    assert found["switch"].value == pytest.approx((model + w * (w < 10.0) * residual).mean())
    assert found["dros"].value == pytest.approx((model + 100.0 * w / (w**2 + 100.0) * residual).mean())


def test_the_more_decisions_the_heavier_weights_are_trusted() -> None:
    assert [Limits(n, 1.0, 1.0).tau for n in (100, 10_000, 1_000_000)] == [10.0, 10.0, 100.0]
    assert Limits(10_000, 4.0, 9.0).smoothing == pytest.approx(Limits(10_000, 1.0, 9.0).smoothing / 2)


@pytest.mark.parametrize("name", ["dm", "blend", "switch"])
def test_what_borrows_an_interval_borrows_its_standard_error(rows: dict[str, Estimate], name: str) -> None:
    """That of a model alone is not what is unknown about the candidate."""
    own, other = rows[name], rows["sndr"]
    assert own.standard_error == other.standard_error > 0
    assert (own.low, own.high) == (min(own.value, other.low), max(own.value, other.high))


def test_all_there_are_come_out_and_the_default_is_first(rows: dict[str, Estimate]) -> None:
    assert list(rows) == list(ESTIMATORS)
    assert next(iter(rows)) == "blend"


def test_the_effective_sample_size_is_kongs(rows: dict[str, Estimate]) -> None:
    assert rows["ips"].effective_sample_size == pytest.approx(W.sum() ** 2 / (W**2).sum())


def test_the_blend_lies_between_the_model_and_its_correction(rows: dict[str, Estimate]) -> None:
    low, high = sorted([rows["dm"].value, rows["sndr"].value])
    assert low <= rows["blend"].value <= high


def test_rows_can_be_read_like_mappings(rows: dict[str, Estimate]) -> None:
    assert rows["ips"]["value"] == rows["ips"].value
    with pytest.raises(KeyError):
        rows["ips"]["nothing"]


def test_only_those_asked_for_come_out_in_their_order() -> None:
    found = evaluate(LOG, {"c": CANDIDATE}, ["snips", "ips"])
    assert [row.estimator for row in found] == ["snips", "ips"]


def test_an_unknown_one_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidCandidate, match=r"unknown estimator 'isp'; there are blend, .*ips"):
        evaluate(LOG, {"c": CANDIDATE}, ["isp"])


def test_large_logs_give_the_same_formulas_as_small_ones() -> None:
    """Many parts, and many decisions in a group."""
    times = 90
    log = LoggedDecisions(*(np.tile(c, times) for c in (LOG.actions, LOG.rewards, LOG.probabilities)))
    large = by_name(evaluate(log, {"c": np.tile(CANDIDATE, (times, 1))}, ["ips", "snips"]))
    assert large["ips"].value == pytest.approx((W * R).mean(), rel=1e-9)
    assert large["snips"].standard_error == pytest.approx(
        by_name(evaluate(LOG, {"c": CANDIDATE}, ["snips"]))["snips"].standard_error / times**0.5, rel=0.2
    )


def test_a_row_of_probabilities_holds_for_all_decisions() -> None:
    one = evaluate(LOG, {"c": [0.2, 0.3, 0.5]}, ["ips"])[0]
    all_rows = evaluate(LOG, {"c": np.tile([0.2, 0.3, 0.5], (len(LOG), 1))}, ["ips"])[0]
    assert one == all_rows


def test_actions_may_have_names() -> None:
    named = LoggedDecisions(np.array(["a", "b", "c"])[LOG.actions], R, LOG.probabilities)
    assert evaluate(named, {"c": CANDIDATE}, ["ips"])[0].value == pytest.approx((W * R).mean())


def test_order_of_time_changes_no_estimate_of_a_stationary_candidate() -> None:
    shuffled = np.random.default_rng(1).permutation(len(LOG))
    timed = LoggedDecisions(LOG.actions, R, LOG.probabilities, times=shuffled)
    assert evaluate(timed, {"c": CANDIDATE}, ["ips"])[0].value == pytest.approx((W * R).mean())


class TestBalancedWeights:
    """One logging policy hardly ever asks what the candidate does, the other always half the time."""

    @staticmethod
    def errors(seed: int, n: int = 2_000) -> tuple[float, float]:
        world = a_world(n, seed)
        chances = np.where((np.arange(n) < n / 2)[:, None], [0.005, 0.495, 0.5], [0.5, 0.25, 0.25])
        found = by_name(evaluate(simulate(world.rewards, chances, seed), {"c": [1.0, 0.0, 0.0]}, ["dr", "balanced"]))
        truth = float(world.means[:, 0].mean())
        return abs(found["dr"].value - truth), abs(found["balanced"].value - truth)

    def test_trust_the_policy_more_that_tells_more(self) -> None:
        """Two that are alike would come out so in fewer than 1 of 100 seeds (an F distribution of 30 and 30)."""
        dr, balanced = np.square([self.errors(seed) for seed in range(30)]).mean(axis=0)
        assert balanced < 0.4 * dr

    def test_do_not_lean_on_the_model_where_the_draws_were_telling(self) -> None:
        """It is wrong where the log is thin: a stretch that shows it must not count for less than one that does not."""
        errors = []
        for seed in range(30):
            thin = np.random.default_rng(seed).integers(2, size=2_000) == 1
            rewards = np.column_stack([thin, np.full(2_000, 0.5)]).astype(float)
            chances = np.where(thin, 0.04, 0.8)
            log = simulate(rewards, np.column_stack([chances, 1 - chances]), seed)
            model = np.column_stack([np.zeros(2_000), np.full(2_000, 0.5)])
            (row,) = evaluate(log, {"c": [1.0, 0.0]}, ["balanced"], reward_model=model)
            errors.append(row.value - thin.mean())
        assert abs(np.mean(errors)) < 4 * np.std(errors) / 30**0.5

    def test_are_all_alike_where_the_policy_never_changed(self, rows: dict[str, Estimate]) -> None:
        assert rows["balanced"].value == pytest.approx(rows["dr"].value, abs=rows["dr"].standard_error / 3)


class TestMoreRobustDoublyRobust:
    def test_fits_its_model_where_the_log_is_thin(self) -> None:
        """A line cannot follow the curve everywhere: it is fitted where a miss would cost most."""
        squares = {"dr": 0.0, "mrdr": 0.0}
        for seed in range(30):
            rng = np.random.default_rng(seed)
            group = rng.integers(2, size=1_500)
            thin = np.where(group == 0, 0.02, 0.9)
            rewards = np.column_stack([group == 1, np.full(1_500, 0.5)]).astype(float)
            log = simulate(rewards, np.column_stack([thin, 1 - thin]), seed)
            for row in evaluate(log, {"c": [1.0, 0.0]}, ["dr", "mrdr"]):
                squares[row.estimator] += (row.value - group.mean()) ** 2
        assert squares["mrdr"] < 0.5 * squares["dr"]

    def test_corrects_the_model_that_is_given(self) -> None:
        found = by_name(evaluate(LOG, {"c": CANDIDATE}, ["dr", "mrdr"], reward_model=MODEL - 0.5))
        assert found["mrdr"].standard_error < found["dr"].standard_error
        assert found["mrdr"].value == pytest.approx(value(WORLD, CANDIDATE), abs=4 * found["mrdr"].standard_error)


class TestRejectionReplay:
    def test_on_a_uniform_log_is_the_mean_of_matching_decisions(self) -> None:
        log = a_log(WORLD, seed=5, uniform=True)
        chances = switching(WORLD.x)
        matching = chances[ROWS, log.actions] == 1
        (row,) = evaluate(log, {"c": chances}, ["replay"])
        assert row.value == pytest.approx(log.rewards[matching].mean())
        assert row.effective_sample_size == matching.sum()
        assert not row.warnings

    def test_on_any_other_is_corrected_and_says_so(self) -> None:
        """Action 0 is logged where it is good: what matches is too good to be true."""
        world = a_world(40_000, seed=6)
        log = a_log(world, seed=7)
        plain = log.rewards[log.actions == 0].mean()
        (row,) = evaluate(log, {"first": [1.0, 0.0, 0.0]}, ["replay"])
        truth = value(world, np.tile([1.0, 0.0, 0.0], (len(log), 1)))
        deviation = 0.5 / row.effective_sample_size**0.5
        assert plain - truth > 4 * deviation
        assert abs(row.value - truth) < 4 * deviation  # fails by chance in fewer than 1 of 10,000 seeds
        assert f"({plain:.5f} here) is biased" in row.warnings[0]


class TestTheRewardModel:
    def test_follows_curves_and_makes_doubly_robust_estimates_narrower(self) -> None:
        found = by_name(evaluate(LOG, {"c": CANDIDATE}))
        assert found["dr"].standard_error < 0.8 * found["ips"].standard_error
        assert found["dm"].value == pytest.approx(value(WORLD, CANDIDATE), abs=0.04)

    def test_does_not_explain_a_reward_by_itself(self) -> None:
        """There is nothing to learn: whoever predicts it better than its mean has seen it."""
        rng = np.random.default_rng(1)
        features, rewards = rng.normal(size=(500, 100)), rng.normal(size=500)
        part = Part(np.zeros(500, dtype=np.intp), rewards, np.ones(500), [], features=features)
        folds = np.arange(500) % FOLDS
        model = RewardModel(1, 100)
        model.add(part, folds)
        assert np.square(rewards - model.predict(part, folds)[:, 0]).mean() > rewards.var()

    def test_without_contexts_is_a_mean_of_each_action(self) -> None:
        log = LoggedDecisions(LOG.actions, R, LOG.probabilities)
        found = by_name(evaluate(log, {"c": [0.0, 0.0, 1.0]}))
        assert found["dm"].value == pytest.approx(R[LOG.actions == 2].mean(), abs=0.02)

    def test_takes_categories(self) -> None:
        side = np.where(WORLD.x < 0.5, "left", "right")
        log = LoggedDecisions(LOG.actions, R, LOG.probabilities, {"side": side})
        found = by_name(evaluate(log, {"c": switching(WORLD.x)}))
        assert found["dm"].value == pytest.approx(value(WORLD, switching(WORLD.x)), abs=0.04)


def test_the_reliability_of_a_model_of_rare_rewards_is_told_in_ten_bins() -> None:
    rng = np.random.default_rng(6)
    chances = rng.uniform(0.001, 0.02, 5_000)
    log = LoggedDecisions(rng.integers(2, size=5_000), rng.random(5_000) < chances, np.full(5_000, 0.5))
    model = np.column_stack([chances, chances])
    readings = evaluate(log, {"c": [0.5, 0.5]}, ["dr"], reward_model=model).readings
    assert readings is not None
    assert readings.reliability is not None
    assert readings.reliability.count.tolist() == [500] * 10
    means = readings.reliability.rewards / 500
    assert means == pytest.approx(readings.reliability.predicted / 500, abs=4 * (0.02 / 500) ** 0.5)
