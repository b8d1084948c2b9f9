"""Track-and-stop: the published shares, stopping with the stated confidence, and starting again."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from selector import TrackAndStop
from selector.decisions import Answer, Decision, Query, Selection
from selector.policies.race import evidence, kl, proportions
from selector.policies.track_and_stop import Race
from tests.selector.worlds import MODELS, Step, fold, play

rates = st.floats(0, 1)


@pytest.mark.parametrize(
    ("means", "published"),
    [
        ((0.5, 0.45, 0.43, 0.4), (0.417, 0.390, 0.136, 0.057)),
        ((0.3, 0.21, 0.2, 0.19, 0.18), (0.336, 0.251, 0.177, 0.132, 0.104)),
    ],
)
def test_the_shares_are_those_of_the_paper(means: tuple[float, ...], published: tuple[float, ...]) -> None:
    """Garivier & Kaufmann 2016, section 6."""
    assert proportions(means, 0.0) == pytest.approx(published, abs=6e-4)


def test_one_model_is_the_best_of_one_until_another_joins() -> None:
    policy = TrackAndStop()
    alone = policy.initial_state(MODELS[:1])
    assert policy.describe(alone)[MODELS[0]]["chosen"] == 1.0
    assert all("chosen" not in known for known in policy.describe(policy.with_models(alone, MODELS)).values())


@given(st.lists(rates, max_size=6), st.sampled_from([0.0, 0.01, 0.2]))
def test_the_shares_are_a_distribution(means: list[float], epsilon: float) -> None:
    shares = proportions(means, epsilon)
    assert all(share >= 0 for share in shares)
    assert sum(shares) == pytest.approx(1 if means else 0)


@given(st.integers(1, 500), rates, st.integers(1, 500), rates)
def test_the_evidence_without_epsilon_has_a_closed_form(n: int, mean: float, m: int, other: float) -> None:
    middle = (n * mean + m * other) / (n + m)
    expected = n * kl(mean, middle) + m * kl(other, middle) if mean > other else 0.0
    assert evidence(n, mean, m, other, 0.0) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def raced(policy: TrackAndStop, seed: int, queries: int = 600, delay: int = 1) -> tuple[Race, list[Step]]:
    return play(policy, policy.initial_state(MODELS), queries, seed, delay=delay)


@pytest.mark.parametrize("delay", [1, 40], ids=["at once", "late"])
def test_it_stops_says_so_and_asks_the_winner_alone(delay: int) -> None:
    policy = TrackAndStop(delta=0.1)
    state, _ = raced(policy, 1, delay=delay)
    assert state.winner == "cnn:1"
    described = policy.describe(state)
    assert [described[model]["chosen"] for model in MODELS] == [1, 0, 0]
    assert policy.chances(state, Query(1, MODELS)) == [1, 0, 0]
    assert "chosen" not in policy.describe(policy.initial_state(MODELS))["cnn:1"]


def test_it_always_decides_and_is_seldom_wrong() -> None:
    policy, winners, races = TrackAndStop(epsilon=0.05, delta=0.05), [], 20
    for seed in range(races):
        state, rng = policy.initial_state(MODELS), Random(seed)
        for _ in range(3_000):
            if state.winner is not None:
                break
            selection = policy.select(state, Query(1, MODELS), (), {}, rng)
            assert selection is not None
            [model] = selection.models
            rate = {"cnn:1": 0.25, "forest:1": 0.4, "svm:1": 0.42}[model]
            step = raced_step(model, float(rng.random() < rate))
            state = fold(policy, state, [step])
        winners.append(state.winner)
    assert None not in winners
    assert binom.sf(races - winners.count("cnn:1") - 1, races, policy.delta) > 1e-3  # at most 5 may be wrong


def raced_step(model: str, loss: float) -> Step:
    asked = (Selection((model,), 0.5),)
    return Step(Decision("", Query(1, MODELS), 0.0, "", asked, {}, Answer(1)), {model: loss}, bool(loss))


def test_it_starts_again_when_a_model_joins_or_the_winner_leaves() -> None:
    policy = TrackAndStop(delta=0.1)
    state, _ = raced(policy, 1)
    assert policy.with_models(state, ("cnn:1", "svm:1")).winner == "cnn:1"
    assert policy.with_models(state, ("cnn:1", "new:1", "svm:1")).winner is None
    assert policy.with_models(state, ("forest:1", "svm:1")).winner != "cnn:1"


def test_it_starts_again_when_the_winner_fails_and_finds_another() -> None:
    policy = TrackAndStop(delta=0.1)
    state, _ = raced(policy, 1)
    failing = raced_step("cnn:1", 1.0)
    for _ in range(40):
        state = fold(policy, state, [failing])
    assert state.winner != "cnn:1"
    assert policy.chances(state, Query(1, MODELS))[0] < 0.6
