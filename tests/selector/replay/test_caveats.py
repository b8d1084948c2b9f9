"""What is said of a log that cannot answer, and who wins where it can."""

from __future__ import annotations

import numpy as np
import pytest

from selector.replay import LoggedDecisions, evaluate, simulate
from tests.selector.replay.samples import a_log, a_world, switching, value

WORLD = a_world(2_000, seed=1)
LOG = a_log(WORLD, seed=2)


def said_of(log: LoggedDecisions, chances: object) -> str:
    return " | ".join(evaluate(log, {"c": chances}, ["ips"])[0].warnings)  # type: ignore[dict-item]


def test_nothing_is_said_of_a_candidate_that_the_log_knows_well() -> None:
    assert said_of(LOG, switching(WORLD.x)) == ""


def test_choices_that_the_log_never_made_are_named_with_their_share() -> None:
    row = evaluate(LOG, {"c": [0.4, 0.3, 0.2, 0.1]}, ["ips"])[0]
    assert row.uncovered == pytest.approx(0.1)
    assert "10.0% of its choices are never made in the log (3)" in row.warnings[0]
    assert row.more_decisions is None


def test_what_is_not_covered_could_bring_anything() -> None:
    """Of a candidate that often chooses what brought 0, and sometimes what was never chosen: 0.1 at most."""
    log = LoggedDecisions(np.arange(2_000) % 2, np.tile([0, 0, 0, 1], 500), [0.5] * 2_000)
    for row in evaluate(log, {"c": [0.8, 0.1, 0.1]}):
        assert row.low < 0.05
        assert row.high > 0.05 + 0.1


def test_choices_that_were_impossible_show_in_the_mean_weight() -> None:
    log = LoggedDecisions(np.where(WORLD.x < 0.3, 0, LOG.actions), LOG.rewards, np.where(WORLD.x < 0.3, 1, 0.5))
    assert "its weights have mean" in said_of(log, [0.0, 0.5, 0.5])


def test_probabilities_by_which_nobody_chose_are_found_out() -> None:
    honest = evaluate(LOG, {"c": [1 / 3] * 3}, ["ips"])
    wrong = evaluate(LoggedDecisions(LOG.actions, LOG.rewards, LOG.probabilities**1.5), {"c": [1 / 3] * 3}, ["ips"])
    assert honest.survey is not None
    assert honest.survey.calibration() > 0.01
    assert "the logged probabilities are not those by which choices were made" in wrong[0].warnings[0]


def test_a_choice_that_was_certain_and_is_logged_as_nearly_so_is_found_out() -> None:
    """Of 200 that are made with a chance of .9, 20 should be others; that none is has a chance of 1 in a billion."""
    log = LoggedDecisions([0] * 200, [0, 1] * 100, [0.9] * 200)
    assert "the logged probabilities are not those" in said_of(log, [1.0])


def test_an_action_that_was_not_always_possible_does_not_make_probabilities_wrong() -> None:
    rng = np.random.default_rng(3)
    both = rng.random(4_000) < 0.5
    actions = (both & (rng.random(4_000) < 0.5)).astype(int)
    log = LoggedDecisions(actions, actions, np.where(both, 0.5, 1.0))
    assert said_of(log, np.where(both[:, None], [0.2, 0.8], [1.0, 0.0])) == ""


def test_a_log_that_is_nearly_silent_says_so() -> None:
    rare = LoggedDecisions([0] * 990 + [1] * 10, [0, 1] * 500, [0.99] * 990 + [0.01] * 10)
    assert "its effective sample size is 10: the log is nearly silent about it" in said_of(rare, [0.0, 1.0])


def test_rewards_beyond_0_and_1_are_mentioned() -> None:
    log = LoggedDecisions(LOG.actions, LOG.rewards * 5 - 1, LOG.probabilities)
    row = evaluate(log, {"c": switching(WORLD.x)}, ["ips"])[0]
    assert "rewards lie in [-1, 4]" in row.warnings[0]
    assert row.anytime_low < row.value < row.anytime_high


def test_how_many_more_decisions_would_tell_is_about_right() -> None:
    """All actions are alike; with so many more, the margin is a twentieth of what each earns."""
    coins = (np.random.default_rng(1).random((400, 2)) < 0.5).astype(float)
    row = evaluate(simulate(coins, [0.7, 0.3], 1), {"c": [0.3, 0.7]}, ["ips"])[0]
    assert row.more_decisions
    assert f"about {row.more_decisions:,} more decisions would tell" in row.warnings[-1]
    more = (np.random.default_rng(2).random((400 + row.more_decisions, 2)) < 0.5).astype(float)
    (pair,) = evaluate(simulate(more, [0.7, 0.3], 2), {"c": [0.3, 0.7]}, ["ips"]).differences
    wanted = max(0.025, abs(row.value - evaluate(simulate(coins, [0.7, 0.3], 1), {"c": [0.3, 0.7]}).logged.value))
    assert pair.high - pair.value == pytest.approx(wanted, rel=0.2)


class TestTheWinner:
    def test_is_named_where_it_is_one(self) -> None:
        candidates = {"switching": switching(WORLD.x), "third": np.eye(3)[2], "uniform": np.full(3, 1 / 3)}
        evaluation = evaluate(LOG, candidates, ["dr"])
        assert evaluation.winner == "switching"
        assert all(difference.low > 0 for difference in evaluation.differences if difference.better == "switching")

    def test_is_not_named_where_it_is_none(self) -> None:
        twin = switching(WORLD.x)
        other = switching(np.clip(WORLD.x + 0.001, 0, 1))
        assert evaluate(LOG, {"a": twin, "b": other}, ["dr"]).winner is None

    @pytest.mark.parametrize("reward", [0, 1])
    def test_is_not_named_on_a_single_decision(self, reward: int) -> None:
        """Two thousand decisions say nothing of a choice that was made once."""
        rewards = [reward, *[0, 1] * 1_000]
        log = LoggedDecisions([1] + [0] * 2_000, rewards, [0.001] + [0.999] * 2_000)
        evaluation = evaluate(log, {"rare": [0.0, 1.0]})
        assert evaluation.winner is None
        assert all(difference.low < 0 < difference.high for difference in evaluation.differences)

    def test_is_not_named_in_a_log_of_few_decisions(self) -> None:
        evaluation = evaluate(LoggedDecisions([0, 1] * 5, [1, 0] * 5, [0.5] * 10), {"c": [1.0, 0.0]}, ["ips"])
        assert evaluation.winner is None
        assert evaluation.logged.interval == "anytime"
        assert evaluation.logged.low < 0.2 < 0.8 < evaluation.logged.high

    def test_is_not_named_by_what_the_log_never_chose(self) -> None:
        log = LoggedDecisions([0, 1] * 1_000, [1, 0] * 1_000, [0.5] * 2_000)
        assert evaluate(log, {"new": [0.0, 0.0, 1.0]}, ["ips"]).winner is None

    def test_differences_are_paired(self) -> None:
        """Two that almost always choose alike differ with far more certainty than either is known."""
        near = 0.99 * switching(WORLD.x) + 0.01 * np.array([0.0, 0.0, 1.0])
        evaluation = evaluate(LOG, {"a": switching(WORLD.x), "b": near}, ["dr"])
        (pair,) = [d for d in evaluation.differences if {d.better, d.worse} == {"a", "b"}]
        assert pair.high - pair.low < 0.1 * (evaluation[0].high - evaluation[0].low)
        assert pair.better == "a"
        assert pair.low > 0

    def test_all_differences_hold_at_once(self) -> None:
        held = 0
        for seed in range(60):
            world = a_world(400, seed)
            alike = {f"c{j}": np.roll(switching(world.x), j * 50, axis=0) for j in range(5)}
            truth = {name: value(world, chances) for name, chances in alike.items()}
            found = evaluate(a_log(world, seed), alike, ["dr"]).differences
            held += all(
                d.low <= truth[d.better] - truth[d.worse] <= d.high
                for d in found
                if "(logged)" not in (d.better, d.worse)
            )
        assert held >= 50  # of 60 at 95%: fewer by chance in 1 of 2,000 seeds
