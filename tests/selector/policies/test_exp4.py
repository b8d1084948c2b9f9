"""Exp4: every model's own error, the weighted vote, the weighted mean."""

from __future__ import annotations

from math import exp, inf
from random import Random

import pytest

from selector import Exp4
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.policies.exp4 import Votes
from selector.policies.tally import Tally
from selector.policies.weights import Weights
from tests.selector.worlds import ERRORS, MODELS

QUERY = Query(1, MODELS)
ASKED = (Selection(MODELS, 1.0),)


def observed(policy: Exp4, log: list[dict[str, float]]) -> Votes:
    state = policy.initial_state(MODELS)
    for losses in log:
        state = policy.observe(state, Decision("", QUERY, 0.0, "exp4", ASKED, {}, Answer(1)), losses)
    return state


def test_all_available_models_are_asked_for_certain() -> None:
    policy = Exp4()
    assert policy.select(policy.initial_state(MODELS), QUERY, (), {}, Random(1)) == Selection(MODELS, 1.0)


def test_weights_fall_by_each_models_own_loss() -> None:
    state = observed(Exp4(learning_rate=0.2, share=0), [{"cnn:1": 0.0, "forest:1": 0.5, "svm:1": 1.0}] * 3)
    assert state.logs == pytest.approx([0, -0.3, -0.6])


def test_fixed_share_spreads_a_part_of_the_weight_evenly() -> None:
    state = observed(Exp4(learning_rate=0.2, share=0.1), [{"cnn:1": 0.0, "forest:1": 0.0, "svm:1": 1.0}])
    w = [1.0, 1.0, exp(-0.2)]
    shared = [0.9 * v + 0.1 * sum(w) / 3 for v in w]
    assert [exp(log) for log in state.logs] == pytest.approx([v / sum(shared) for v in shared])


def test_a_heavy_model_outvotes_two_light_ones() -> None:
    policy = Exp4(learning_rate=1.0, share=0)
    state = observed(policy, [{"cnn:1": 0.0, "forest:1": 1.0, "svm:1": 1.0}] * 2)
    said = {"cnn:1": Prediction("cat"), "forest:1": Prediction("dog"), "svm:1": Prediction("dog")}
    answer = policy.combine(state, QUERY, ASKED, said)
    assert answer.output == "cat"
    assert answer.confidence == pytest.approx(1 / (1 + 2 * exp(-2)))


def test_without_the_heavy_model_the_others_decide_with_what_confidence_they_have() -> None:
    policy = Exp4(learning_rate=1.0, share=0)
    state = observed(policy, [{"cnn:1": 0.0, "forest:1": 1.0, "svm:1": 1.0}] * 2_000)
    answer = policy.combine(state, QUERY, ASKED, {"forest:1": Prediction("dog"), "svm:1": Prediction("cow")})
    assert answer == Answer("dog", 0.0)  # a tie goes to the first, and nearly all of the weight is missing


def test_a_prediction_that_nobody_asked_for_has_no_vote() -> None:
    policy = Exp4()
    asked = (Selection(("cnn:1",), 1.0),)
    said = {"cnn:1": Prediction("cat"), "forest:1": Prediction("dog"), "svm:1": Prediction("dog")}
    assert policy.combine(policy.initial_state(MODELS), QUERY, asked, said) == Answer("cat", 1.0)


def test_regression_answers_the_weighted_mean() -> None:
    policy = Exp4(learning_rate=1.0, share=0, task="regression")
    state = observed(policy, [{"cnn:1": 0.0, "forest:1": 1.0, "svm:1": 1.0}])
    said = {"cnn:1": Prediction(1.0), "forest:1": Prediction(2), "svm:1": Prediction("no number")}
    w = exp(-1)
    answer = policy.combine(state, QUERY, ASKED, said)
    assert answer.output == pytest.approx((1 + 2 * w) / (1 + w))
    assert answer.confidence == pytest.approx((1 + w) / (1 + 2 * w))


def test_the_vote_does_not_depend_on_who_answers_first() -> None:
    policy = Exp4()
    state = policy.initial_state(MODELS)
    said = {"cnn:1": Prediction("cat"), "forest:1": Prediction("dog")}
    turned = dict(reversed(said.items()))
    assert policy.combine(state, QUERY, ASKED, said) == policy.combine(state, QUERY, ASKED, turned)


def test_with_restarts_the_vote_leaves_and_forgives_at_once() -> None:
    policy, patient = Exp4(restart="cusum"), Exp4()
    states = [policy.initial_state(MODELS), patient.initial_state(MODELS)]
    rng = Random(1)
    rates = {**ERRORS, "svm:1": 0.3}

    def go(cnn: float, queries: int) -> list[float]:
        for i in range(queries):
            losses = {m: float(rng.random() < (cnn if m == "cnn:1" else rate)) for m, rate in rates.items()}
            decision = Decision("", Query(i, MODELS), 0.0, "exp4", (Selection(MODELS, 1.0),), {}, Answer(1))
            states[:] = [policy.observe(states[0], decision, losses), patient.observe(states[1], decision, losses)]
        return [p.describe(s)["cnn:1"]["weight"] for p, s in zip((policy, patient), states, strict=True)]

    assert go(0.1, 1_500)[0] > 0.9
    assert go(0.9, 25)[0] < 0.05
    go(0.9, 1_000)
    restarted, plain = go(0.1, 80)
    assert restarted > 2 * plain
    assert restarted > 0.5


def test_models_that_cannot_be_asked_keep_their_part_and_the_others_share_theirs() -> None:
    policy, losses = Exp4(learning_rate=0.2, share=0.1), dict(zip(MODELS, (1.0, 0.0, 1.0), strict=True))
    state, alone = policy.initial_state(MODELS), policy.initial_state(MODELS[1:])
    decision = Decision("", Query(1, MODELS[1:]), 0.0, "exp4", (Selection(MODELS[1:], 1.0),), {}, Answer(1))
    for _ in range(50):
        state = policy.observe(state, decision, losses)
        alone = policy.observe(alone, decision, losses)
    weights = [exp(log) for log in state.logs]
    assert weights[0] / sum(weights) == pytest.approx(1 / 3)
    assert weights[2] / weights[1] == pytest.approx(exp(alone.logs[1] - alone.logs[0]))


def test_a_model_that_recovered_leads_as_soon_as_its_labels_since_say_so() -> None:
    weights = Weights(Tally(MODELS, [100.0] * 3, [20.0, 30.0, 90.0]), [0.0, -2.0, -8.0], memory=4.0)
    weights.reweigh("svm:1", count=4.0, loss=0.0, learning_rate=0.2)
    # shrunk by two losses like those of the best, its mean loss is .4 / 6
    assert weights.logs[2] - weights.logs[0] == pytest.approx(0.2 * 4 * (0.2 - 0.4 / 6))


def test_a_model_that_recovered_weighs_at_most_as_much_as_all_others_together() -> None:
    weights = Weights(Tally(MODELS, [1_000.0] * 3, [400.0, 500.0, 900.0]), [0.0, -2.0, -8.0], memory=1_000.0)
    weights.reweigh("svm:1", count=40.0, loss=0.0, learning_rate=0.2)
    assert exp(weights.logs[2]) == pytest.approx(exp(weights.logs[0]) + exp(weights.logs[1]))


USUAL = {"cnn:1": 0.0, "forest:1": 1.0, "svm:1": 1.0}
CONTRARY = {model: 1.0 - loss for model, loss in USUAL.items()}


@pytest.mark.parametrize(("before", "feedbacks"), [(0, 30), (0, 300), (0, 3_000), (20_000, 300), (20_000, 3_000)])
def test_one_feedback_of_a_user_does_not_outweigh_what_everyone_has_shown(before: int, feedbacks: int) -> None:
    """Nine times in ten one model is right and the others wrong, however long, and be it that it was not so before."""
    policy = Exp4()
    log = [CONTRARY if i < before or i % 10 == 0 else USUAL for i in range(before + feedbacks)]
    met = policy.blend(observed(policy, log), observed(policy, [CONTRARY]), 10.0)
    assert policy.describe(met)["cnn:1"]["weight"] > 0.7


@pytest.mark.parametrize("strength", [1e9, inf])
def test_where_users_do_not_differ_one_feedback_changes_nothing(strength: float) -> None:
    policy = Exp4()
    population = observed(policy, [CONTRARY if i % 3 == 0 else USUAL for i in range(200)])
    met = policy.describe(policy.blend(population, observed(policy, [CONTRARY]), strength))
    everyones = policy.describe(population)
    assert all(met[model]["weight"] == pytest.approx(everyones[model]["weight"], abs=0.02) for model in MODELS)


@pytest.mark.parametrize("feedbacks", [100, 300, 1_000])
def test_a_user_of_whom_much_is_known_gets_what_that_shows_however_sure_everyone_is(feedbacks: int) -> None:
    policy = Exp4()
    population = observed(policy, [CONTRARY if i % 10 == 0 else USUAL for i in range(5_000)])
    own = observed(policy, [USUAL if i % 10 == 0 else CONTRARY for i in range(feedbacks)])
    assert policy.describe(policy.blend(population, own, 40.0))["cnn:1"]["weight"] < 0.01


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5])
def test_weights_next_to_nothing_can_be_met(share: float) -> None:
    policy = Exp4(share=share)
    population, own = observed(policy, [USUAL] * 6_000), observed(policy, [USUAL] * 10)
    shares = policy.describe(policy.blend(population, own, 10.0))
    assert shares["cnn:1"]["weight"] > shares["svm:1"]["weight"]
