"""Exp3 against its published rule, written out by hand."""

from __future__ import annotations

from math import exp, inf
from random import Random

import pytest
from msgspec.structs import replace

from selector import Exp3
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.policies.tally import Tally
from selector.policies.weights import Weights
from tests.selector.worlds import MODELS, play

QUERY = Query(1, MODELS)


def decision(model: str, probability: float, *others: str) -> Decision:
    selection = Selection((model, *others), probability)
    return Decision("", QUERY, 0.0, "exp3", (selection,), {model: Prediction(1)}, Answer(1))


def shares(policy: Exp3, log: list[tuple[str, float, float]]) -> list[float]:
    """The probabilities after feedback on (model, logged probability, loss)."""
    state = policy.initial_state(MODELS)
    for model, probability, loss in log:
        state = policy.observe(state, decision(model, probability), {model: loss})
    return [model["weight"] for model in policy.describe(state).values()]


def test_it_multiplies_the_weight_by_the_exponential_of_the_estimated_loss() -> None:
    rng, eta = Random(1), 0.05
    weights, log = dict.fromkeys(MODELS, 1.0), []
    for _ in range(500):
        model = rng.choices(MODELS, list(weights.values()))[0]
        p, loss = weights[model] / sum(weights.values()), rng.random()
        weights[model] *= exp(-eta * loss / p)
        log.append((model, p, loss))
    total = sum(weights.values())
    assert shares(Exp3(learning_rate=eta, share=0), log) == pytest.approx([w / total for w in weights.values()])


def test_fixed_share_spreads_a_part_of_the_weight_evenly() -> None:
    rng, eta, share = Random(2), 0.5, 0.01
    p, log = dict.fromkeys(MODELS, 1 / 3), []
    for _ in range(300):
        model, loss = rng.choice(MODELS), rng.random()
        log.append((model, p[model], loss))
        w = {m: q * (exp(-eta * loss / p[m]) if m == model else 1) for m, q in p.items()}
        p = {m: (1 - share) * v / sum(w.values()) + share / 3 for m, v in w.items()}
    assert shares(Exp3(learning_rate=eta, share=share), log) == pytest.approx(list(p.values()))


def test_late_feedback_counts_with_the_probability_of_its_own_decision() -> None:
    first, second = ("cnn:1", 0.5, 1.0), ("svm:1", 0.1, 1.0)
    policy = Exp3(share=0)
    assert shares(policy, [first, second]) == pytest.approx(shares(policy, [second, first]))


def test_a_shadow_or_a_joined_prediction_teaches_nothing() -> None:
    policy = Exp3()
    asked = policy.observe(policy.initial_state(MODELS), decision("cnn:1", 0.5), {"cnn:1": 1.0})
    more = policy.observe(policy.initial_state(MODELS), decision("cnn:1", 0.5), {"cnn:1": 1.0, "svm:1": 1.0})
    assert policy.encode(asked) == policy.encode(more)


def test_a_decision_that_asked_everybody_scores_everybody() -> None:
    policy = Exp3(learning_rate=1.0, share=0)
    losses = {"cnn:1": 0.0, "forest:1": 1.0, "svm:1": 1.0}
    state = policy.observe(policy.initial_state(MODELS), decision(MODELS[0], 1.0, *MODELS[1:]), losses)
    expected = [1 / (1 + 2 / exp(1)), exp(-1) / (1 + 2 / exp(1)), exp(-1) / (1 + 2 / exp(1))]
    assert [model["weight"] for model in policy.describe(state).values()] == pytest.approx(expected)


@pytest.mark.parametrize("available", [(), ("forest:1", "svm:1")], ids=len)
def test_a_model_that_was_asked_though_not_available_teaches_nothing(available: tuple[str, ...]) -> None:
    policy = Exp3()
    asked = replace(decision("cnn:1", 0.5), query=Query(1, available))
    state = policy.observe(policy.initial_state(MODELS), asked, {"cnn:1": 1.0})
    assert state == policy.initial_state(MODELS)


def test_later_rounds_count_with_the_probability_of_all_rounds() -> None:
    policy = Exp3(share=0)
    rounds = (Selection(("cnn:1",), 0.5), Selection(("svm:1",), 0.2))
    late = policy.observe(
        policy.initial_state(MODELS), Decision("", QUERY, 0.0, "", rounds, {}, Answer(1)), {"svm:1": 1.0}
    )
    direct = policy.observe(policy.initial_state(MODELS), decision("svm:1", 0.1), {"svm:1": 1.0})
    assert late.logs == pytest.approx(direct.logs)


def test_without_share_a_failed_model_is_not_forgiven_with_it_it_comes_back() -> None:
    log = [("cnn:1", 0.9, 1.0)] * 1_000 + [("svm:1", 0.9, 1.0)] * 300 + [("forest:1", 0.9, 1.0)] * 300
    assert shares(Exp3(share=0), log)[0] < 1e-9
    assert shares(Exp3(share=0.001), log)[0] > 0.8


def test_the_heaviest_model_being_away_the_others_are_drawn_by_their_own_weights() -> None:
    policy = Exp3(learning_rate=1.0, share=0)
    state = policy.initial_state(MODELS)
    for model in ("forest:1", "svm:1"):  # each falls by exp(-2000), below what a float can hold
        state = policy.observe(state, decision(model, 0.0005), {model: 1.0})
    selection = policy.select(state, Query(1, ("forest:1", "svm:1")), (), {}, Random(1))
    assert selection is not None
    assert selection.probability == pytest.approx(0.5)


def test_a_model_that_joins_is_drawn_once_in_k() -> None:
    policy = Exp3()
    state, _ = play(policy, policy.initial_state(MODELS), 100, seed=1)
    described = policy.describe(policy.with_models(state, ("cnn:1", "forest:1", "new:1", "svm:1")))
    assert described["new:1"] == {"weight": pytest.approx(1 / 4), "count": 0}


def test_a_users_steps_are_shrunk_towards_the_mean_step_that_everyone_remembers() -> None:
    """Log weights under share are those of at most about 1 / share feedbacks: everyone's mean step is over these."""
    policy = Exp3(learning_rate=0.05, share=0.01)
    population = Weights(Tally(MODELS, [400.0] * 3, [40.0] * 3), [0.0, -0.1, -0.2], memory=50.0)
    own = Weights(Tally(MODELS, [10, 0, 0], [10, 0, 0]), [-0.5, 0.0, 0.0], memory=10)
    user = policy.blend(population, own, 10.0)
    k = 1 / (1 / 10 + 1 / 400)
    steps = [(v + k * w / 50) / (10 + k) for v, w in zip(own.logs, population.logs, strict=True)]
    times = (50 * (10 + k)) ** 0.5
    assert user.logs == pytest.approx([times * (step - max(steps)) for step in steps])


def test_a_user_draws_every_model_as_often_as_the_share_that_is_spread() -> None:
    """However much the one and the other speak against it: else nobody would learn that it has recovered."""
    policy = Exp3(share=0.01)
    population = Weights(Tally(MODELS, [4_000.0] * 3, [0.0, 3_000.0, 3_000.0]), [0.0, -6.0, -6.0], memory=100.0)
    own = Weights(Tally(MODELS, [100, 100, 100], [0, 90, 90]), [0.0, -9.0, -9.0], memory=100)
    shares = policy.describe(policy.blend(population, own, 10.0))
    assert min(known["weight"] for known in shares.values()) == pytest.approx(0.01 / 3, rel=0.01)


@pytest.mark.parametrize(("memory", "strength"), [(0.0, 10.0), (100.0, inf)])
def test_a_user_of_whom_nothing_counts_draws_as_everyone_does_even_what_was_long_away(
    memory: float, strength: float
) -> None:
    policy = Exp3(share=0.01)
    population = Weights(Tally(MODELS, [4_000.0] * 3, [0.0, 3_000.0, 3_000.0]), [0.0, -6.0, -20.0], memory=100.0)
    own = Weights(Tally(MODELS), [0.0, -9.0, -9.0], memory)
    assert policy.blend(population, own, strength).logs == population.logs


def test_implicit_exploration_adds_gamma_to_the_probability() -> None:
    """Exp3-IX (Neu 2015): the estimated loss is L / (p + gamma)."""
    eta, gamma = 0.5, 0.25
    expected = exp(-eta * 1.0 / (0.05 + gamma))
    policy = Exp3(learning_rate=eta, share=0, implicit_exploration=gamma)
    assert shares(policy, [("cnn:1", 0.05, 1.0)])[0] == pytest.approx(expected / (expected + 2))
