"""The policy that mixes policies: what each is judged by, and that the better one soon decides."""

from __future__ import annotations

from random import Random

import pytest

from selector import Auto
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.policies.advice import chances_of
from selector.policies.auto import AutoState
from tests.selector.worlds import chance_of_so_few

ONE = Auto(asks="one", share=0.0)
MODELS = ("a", "b", "c")
QUERY = Query(1, MODELS)


def told(policy: Auto, state: AutoState, query: Query, losses: dict[str, float], asked: Selection) -> AutoState:
    said = {model: Prediction(1) for model in losses}
    return policy.observe(state, Decision("", query, 0.0, "auto", (asked,), said, Answer(1)), losses)


def experienced(policy: Auto) -> AutoState:
    """Models of different worth, `a` the best, by which policies have come to differ."""
    state, rng = policy.initial_state(MODELS), Random(1)
    for i in range(30):
        model = MODELS[i % 3]
        loss = float(rng.random() < {"a": 0.2, "b": 0.4, "c": 0.6}[model])
        state = told(policy, state, QUERY, {model: loss}, Selection((model,), 1 / 3))
    return state


def chances(policy: Auto, state: AutoState) -> list[list[float]]:
    """Of each policy."""
    return [chances_of(each, s, QUERY) for each, s in zip(policy.policies, state.states, strict=True)]


@pytest.mark.parametrize("policy", [ONE, Auto()], ids=lambda policy: policy.asks)
def test_weights_and_policies_stand_in_the_same_order(policy: Auto) -> None:
    names = [each.name for each in policy.policies]
    assert names == list(policy.initial_state(MODELS).weights.tally.models)


def test_what_is_asked_is_drawn_from_the_mixture_with_its_exact_probability() -> None:
    state = experienced(ONE)
    state.weights = ONE.initial_state(MODELS).weights
    linucb, thompson = chances(ONE, state)
    mixed = {m: 0.8 * p + 0.2 * q for m, p, q in zip(MODELS, linucb, thompson, strict=True)}
    assert linucb != pytest.approx(thompson, abs=0.05)
    for seed in range(50):
        selection = ONE.select(state, QUERY, (), {}, Random(seed))
        assert selection is not None
        assert selection.probability == pytest.approx(mixed[selection.models[0]])


def test_where_all_losses_are_known_a_policy_is_judged_by_what_it_would_have_lost() -> None:
    state, losses = experienced(ONE), {"a": 0.1, "b": 0.9, "c": 0.4}
    before = state.weights.logs[1] - state.weights.logs[0]
    linucb, thompson = (sum(p * losses[m] for m, p in zip(MODELS, part, strict=True)) for part in chances(ONE, state))
    state = told(ONE, state, QUERY, losses, Selection(("a",), 0.5))
    after = state.weights.logs[1] - state.weights.logs[0]
    assert after - before == pytest.approx(ONE.learning_rate * (linucb - thompson))


def test_a_loss_of_a_model_that_was_not_asked_tells_nothing_of_policies() -> None:
    state = experienced(ONE)
    before = list(state.weights.logs)
    assert told(ONE, state, QUERY, {"b": 1.0}, Selection(("a",), 0.5)).weights.logs == before


def test_where_the_best_model_depends_on_the_query_linucb_decides() -> None:
    policy, rng, wrong = Auto(asks="one"), Random(1), list[float]()
    state = policy.initial_state(MODELS)
    for i in range(1_000):
        kind = rng.choice(MODELS)
        query = Query(i, MODELS, features={"kind": kind})
        selection = policy.select(state, query, (), {}, rng)
        assert selection is not None
        [model] = selection.models
        wrong.append(float(rng.random() < (0.1 if model == kind else 0.8)))
        state = told(policy, state, query, {model: wrong[-1]}, selection)
    assert chance_of_so_few(int(sum(wrong[500:])), 500, 0.25) < 1e-4  # any one model errs in .57 of them
    assert state.weights.logs[1] < state.weights.logs[0] - 3


def test_asking_all_it_soon_knows_whom_to_believe() -> None:
    """Two models that repeat each other err in .4 of the queries, the third in .05."""
    policy, rng, right = Auto(), Random(2), list[bool]()
    state = policy.initial_state(MODELS)
    asked = Selection(MODELS, 1.0)
    for i in range(600):
        query, label = Query(i, MODELS), rng.randrange(2)
        pair = label if rng.random() < 0.6 else 1 - label
        third = label if label == 1 or rng.random() < 0.9 else 1
        said = {"a": Prediction(pair), "b": Prediction(pair), "c": Prediction(third)}
        answer = policy.combine(state, query, [asked], said)
        right.append(answer.output == label)
        losses = {model: float(prediction.output != label) for model, prediction in said.items()}
        state = policy.observe(state, Decision("", query, 0.0, "auto", (asked,), said, answer), losses)
    assert chance_of_so_few(600 - sum(right), 600, 0.15) < 1e-4


def test_a_policy_learns_whose_query_it_was_only_where_a_user_is_a_feature() -> None:
    policy, states = Auto(), {}
    for user in (None, "ann"):
        state = policy.initial_state(MODELS)
        for _ in range(3):
            query = Query(1, MODELS, user)
            state = told(policy, state, query, {"a": 0.0, "b": 1.0, "c": 1.0}, Selection(MODELS, 1.0))
        states[user] = [each.encode(s) for each, s in zip(policy.policies, state.states, strict=True)]
    same = [one == other for one, other in zip(*states.values(), strict=True)]
    assert dict(zip([each.name for each in policy.policies], same, strict=True)) == {
        "ensemble": True,
        "exp4": True,
        "linucb": False,
    }
