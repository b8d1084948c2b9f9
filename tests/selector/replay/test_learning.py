"""Candidates that learn, on logs of single choices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from selector import EpsilonGreedy, Exp3, LinUCB, Static, Thompson, Vowpal
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.policy import Policy
from selector.replay import InvalidCandidate, LoggedDecisions, evaluate, simulate
from selector.replay.learning import Rejection
from selector.replay.source import Memory
from tests.selector.replay.samples import a_log, a_world

REWARDS = (np.random.default_rng(1).random((30_000, 3)) < [0.2, 0.5, 0.8]).astype(float)
SKEWED = np.array([0.6, 0.2, 0.2])


def test_is_worth_what_it_earns_when_it_is_run() -> None:
    """Of 30,000 decisions, logged by another policy, it might have made 6,000: as many as it is run for."""
    evaluation = evaluate(simulate(REWARDS, SKEWED, 2), {"exp3": Exp3()}, ["dr", "ips", "replay"])
    n = evaluation[0].decisions
    assert n == pytest.approx(6_000, rel=0.1)
    runs = [simulate(REWARDS[seed * n : (seed + 1) * n], Exp3(), seed).rewards.mean() for seed in range(4)]
    for row in evaluation:
        assert row.evaluated == "learning"
        assert row.value == pytest.approx(np.mean(runs), abs=4 * row.standard_error + 0.01)
        assert any(f"it learns: from {n} decisions" in warning for warning in row.warnings)


def test_learns_from_what_it_accepted_as_if_it_had_chosen_it() -> None:
    log = simulate(REWARDS[:3_000], SKEWED, 3)
    learner = Rejection("thompson", Thompson(), ["0", "1", "2"], 0.2, seed=1)
    (part,) = Memory(log, {}).parts()
    chosen = learner.choose(part)
    kept = chosen.accepted == 1
    assert learner.accepted == kept.sum()
    counts = learner.policy.describe(learner.learner.state)
    assert [counts[name]["count"] for name in "012"] == np.bincount(log.actions[kept], minlength=3).tolist()
    assert chosen.chances.sum(axis=1) == pytest.approx(1.0)
    assert chosen.chances[0] == pytest.approx([1 / 3] * 3, abs=1e-6)
    assert chosen.chances[-1, 2] > 0.9


@pytest.mark.parametrize("policy", [Exp3(), Thompson()], ids=lambda p: p.name)
def test_learns_alike_whatever_the_range_of_rewards(policy: Policy[Any]) -> None:
    log = simulate(REWARDS[:3_000], SKEWED, 3)
    scaled = LoggedDecisions(log.actions, 20 * log.rewards - 5, log.probabilities)
    shares, points = (evaluate(each, {"c": policy}, ["snips"])[0] for each in (log, scaled))
    assert points.value == pytest.approx(20 * shares.value - 5)
    assert points.decisions == shares.decisions


def test_accepts_decisions_as_often_as_it_would_have_made_them() -> None:
    """One that asks at random, on a log that did not: of each action a fifth of a third, within 4 deviations."""
    log = simulate(REWARDS, SKEWED, 3)
    learner = Rejection("random", EpsilonGreedy(epsilon=1.0), ["0", "1", "2"], 0.2, seed=1)
    (part,) = Memory(log, {}).parts()
    kept = learner.choose(part).accepted == 1
    counts = np.bincount(log.actions[kept], minlength=3)
    assert np.abs(counts - 30_000 * 0.2 / 3).max() < 4 * (30_000 * 0.2 / 3) ** 0.5


def test_decides_by_what_it_knew_before_each_decision() -> None:
    log = simulate(REWARDS[:300], SKEWED, 3)
    learner = Rejection("exp3", Exp3(learning_rate=0.3), ["0", "1", "2"], 0.2, seed=1)
    (part,) = Memory(log, {}).parts()
    chosen = learner.choose(part)
    policy = Exp3(learning_rate=0.3)
    state = policy.initial_state(["0", "1", "2"])
    for i, (action, reward) in enumerate(zip("".join(map(str, log.actions)), log.rewards, strict=True)):
        query = Query(i, ("0", "1", "2"))
        weights = np.array(policy.chances(state, query))
        chances = weights / weights.sum()
        assert chosen.chances[i] == pytest.approx(chances)
        if chosen.accepted[i]:
            selection = Selection((action,), float(chances[int(action)]))
            made = Decision("", query, 0.0, "exp3", (selection,), {action: Prediction(action)}, Answer(action))
            state = policy.observe(state, made, {action: 1.0 - reward})
    assert 30 < learner.accepted < 100


def test_learns_in_the_order_of_times() -> None:
    log = simulate(REWARDS[:500], SKEWED, 3)
    places = np.random.default_rng(1).permutation(500)
    shuffled = LoggedDecisions(
        log.actions[places], log.rewards[places], log.probabilities[places], times=np.arange(500)[places]
    )
    candidate = {"exp3": Exp3(learning_rate=0.3)}
    assert list(evaluate(shuffled, candidate)) == list(evaluate(log, candidate))


def test_users_have_states_of_their_own() -> None:
    """Two users who want different models, which one state for both could not serve."""
    users = np.arange(4_000) % 2
    wanted = np.where(users == 0, 0, 1)
    rewards = (np.arange(2)[None, :] == wanted[:, None]).astype(float)
    log = simulate(rewards, [0.5, 0.5], 1)
    together = evaluate(log, {"exp3": Exp3(share=0)}, ["ips"])[0].value
    apart = LoggedDecisions(log.actions, log.rewards, log.probabilities, users=users)
    assert evaluate(apart, {"exp3": Exp3(share=0)}, ["ips"])[0].value > together + 0.2


@pytest.mark.parametrize("policy", [Vowpal(), LinUCB()], ids=lambda policy: policy.name)
def test_a_contextual_policy_gets_the_contexts(policy: Policy[Any]) -> None:
    side = np.random.default_rng(2).integers(2, size=1_500)
    rewards = (np.arange(2)[None, :] == side[:, None]).astype(float)
    log = simulate(rewards, [0.5, 0.5], 1, {"side": np.array(["left", "right"])[side]})
    assert evaluate(log, {"c": policy}, ["ips"])[0].value > 0.75


def test_a_policy_that_learns_nothing_is_stationary() -> None:
    log = a_log(a_world(500, 1), 1)
    policy, array = evaluate(log, {"policy": Static(model="1"), "array": [0.0, 1.0, 0.0]}, ["ips"])
    assert policy.value == array.value
    assert policy.evaluated == "stationary"


def test_estimators_for_stationary_candidates_are_refused() -> None:
    with pytest.raises(InvalidCandidate, match="learns; estimators for that: blend, dr"):
        evaluate(a_log(a_world(50, 1), 1), {"exp3": Exp3()}, ["clipped"])


def test_stationary_and_learning_candidates_are_compared_in_one_pass() -> None:
    evaluation = evaluate(simulate(REWARDS, SKEWED, 2), {"exp3": Exp3(), "best": [0.0, 0.0, 1.0]}, ["ips"])
    assert [row.candidate for row in evaluation] == ["best", "exp3"]
    assert evaluation.winner == "best"
