"""Users who are followed: how far users' own states are to be believed is learned from what would have come of it."""

from __future__ import annotations

from random import Random

from selector import Ensemble
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.policies.ensemble import EnsembleState

MODELS = ("cnn:1", "svm:1")
POLICY = Ensemble()


def learned(visits: int, users: int, telling_scores: bool = False) -> EnsembleState:
    """Every other user is served well by the first model, the rest by the second: .1 wrong there, else .4.

    With `telling_scores` a model's score says how likely it is right for this user.
    """
    rng, state = Random(1), POLICY.initial_state(MODELS)
    for i in range(visits):
        user, label, said = rng.randrange(users), rng.randrange(4), {}
        for j, model in enumerate(MODELS):
            error = 0.1 if user % 2 == j else 0.4
            output = (label + rng.randrange(1, 4)) % 4 if rng.random() < error else label
            said[model] = Prediction(output, score=1.0 - error if telling_scores else None)
        query = Query(i, MODELS, str(user))
        decision = Decision("", query, 0.0, "ensemble", (Selection(MODELS, 1.0),), said, Answer(None))
        losses = {model: float(prediction.output != label) for model, prediction in said.items()}
        state = POLICY.observe(state, decision, losses)
    return state


def trust(state: EnsembleState) -> float:
    return state.following.trust.record[0] + state.following.trust.vote[0]


def test_own_states_are_believed_where_users_differ() -> None:
    assert trust(learned(1_500, users=20)) > 1.2


def test_own_states_are_believed_little_where_scores_tell_the_same() -> None:
    assert trust(learned(1_500, users=20, telling_scores=True)) < 0.6


def test_no_more_users_are_followed_than_there_are_seats() -> None:
    assert len(learned(1_500, users=500).following.guests) <= 64


def test_other_models_are_followed_anew_with_the_trust_that_was_learned() -> None:
    state = learned(300, users=4)
    grown = POLICY.with_models(state, (*MODELS, "tree:1"))
    assert not grown.following.guests
    assert grown.following.trust == state.following.trust
    assert POLICY.with_models(state, MODELS).following == state.following


def test_what_a_record_is_worth_is_learned_by_records_that_do_not_know_the_label_yet() -> None:
    state = learned(300, users=4)
    before = POLICY.decode(POLICY.encode(state))
    said, losses = {"cnn:1": Prediction(1), "svm:1": Prediction(2)}, {"cnn:1": 0.0, "svm:1": 1.0}
    decision = Decision("", Query(1, MODELS, "1"), 0.0, "ensemble", (Selection(MODELS, 1.0),), said, Answer(None))
    lesson, _ = before.pool.learn(said, {"cnn:1": True, "svm:1": False})
    before.following.learn(POLICY.personal, before.record, before.pool.voters, decision, losses, lesson)
    assert POLICY.observe(state, decision, losses).following.trust == before.following.trust
