"""Users who are followed: how far users' own states are to be believed is learned from what would have come of it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from zlib import crc32

import pytest

from selector import Ensemble
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.policies.ensemble import EnsembleState
from selector.policies.following import ENOUGH
from selector.policies.leanings import Record
from selector.policies.own_vote import OwnVote

MODELS = ("cnn:1", "svm:1")
POLICY = Ensemble()


def learned(visits: int, users: int, telling_scores: bool = False, seed: int = 1) -> EnsembleState:
    """Every other user is served well by the first model, the rest by the second: .1 wrong there, else .4.

    With `telling_scores` a model's score says how likely it is right for this user.
    """
    rng, state = Random(seed), POLICY.initial_state(MODELS)
    for _ in range(visits):
        user = rng.randrange(users)
        state = visited(state, str(user), (0.1, 0.4) if user % 2 == 0 else (0.4, 0.1), rng, telling_scores)
    return state


def visited(
    state: EnsembleState, user: str, errors: Sequence[float], rng: Random, telling_scores: bool = False
) -> EnsembleState:
    """One feedback of this user, for whom the models are wrong this often."""
    label, said = rng.randrange(4), {}
    for model, error in zip(MODELS, errors, strict=True):
        output = (label + rng.randrange(1, 4)) % 4 if rng.random() < error else label
        said[model] = Prediction(output, score=1.0 - error if telling_scores else None)
    decision = Decision("", Query(1, MODELS, user), 0.0, "ensemble", (Selection(MODELS, 1.0),), said, Answer(None))
    losses = {model: float(prediction.output != label) for model, prediction in said.items()}
    return POLICY.observe(state, decision, losses)


def visited_often(state: EnsembleState, user: str, visits: int) -> EnsembleState:
    """Models that guess: of four labels they give different ones three times in four."""
    rng = Random(1)
    for _ in range(visits):
        state = visited(state, user, (0.75, 0.75), rng)
    return state


def copied(state: EnsembleState) -> EnsembleState:
    return POLICY.decode(POLICY.encode(state))


def trust(state: EnsembleState) -> float:
    return state.following.trust.record[0] + state.following.trust.vote[0]


@pytest.mark.parametrize("seed", range(1, 5))
def test_own_states_are_believed_less_where_scores_tell_the_same(seed: int) -> None:
    telling, silent = (trust(learned(1_500, 20, telling_scores, seed)) for telling_scores in (True, False))
    assert telling < silent - 0.5
    assert silent > 1.2


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
    before = copied(state)
    said, losses = {"cnn:1": Prediction(1), "svm:1": Prediction(2)}, {"cnn:1": 0.0, "svm:1": 1.0}
    decision = Decision("", Query(1, MODELS, "1"), 0.0, "ensemble", (Selection(MODELS, 1.0),), said, Answer(None))
    right = {"cnn:1": True, "svm:1": False}
    lesson, _ = before.pool.learn(said, right)
    before.following.learn(before.record, before.pool.voters, decision, losses, right, lesson)
    assert POLICY.observe(state, decision, losses).following.trust == before.following.trust


def test_a_user_who_has_taught_enough_is_let_go_and_no_record_is_kept() -> None:
    state = visited_often(POLICY.initial_state(MODELS), "ann", 80)  # about 60 lessons
    (ann,) = state.following.guests.values()
    assert ann.record.wholes[0][1] == ann.vote.heard == 80
    state = visited_often(state, "ann", 2 * ENOUGH)
    (ann,) = state.following.guests.values()
    assert ann.lessons == ENOUGH
    assert ann.record == Record()
    assert ann.vote == OwnVote()


def test_a_user_who_was_let_go_teaches_nothing_more() -> None:
    before = visited_often(POLICY.initial_state(MODELS), "ann", 2 * ENOUGH)
    after = visited_often(copied(before), "ann", 100)
    assert after.following == before.following
    assert after.record != before.record


def test_the_seat_of_a_user_who_was_let_go_goes_to_another_who_comes() -> None:
    """However often the first comes meanwhile: patience is what it was."""
    state = visited_often(POLICY.initial_state(MODELS), "ann", 2 * ENOUGH)
    ((seat, ann),) = state.following.guests.items()
    bob = next(user for user in map(str, range(1_000)) if crc32(user.encode()) % 64 == seat)
    for _ in range(ann.patience):
        state = visited_often(visited_often(state, "ann", 1), bob, 1)
    assert state.following.guests[seat].tag == crc32(b"ann")
    state = visited_often(state, bob, 10)
    assert state.following.guests[seat].tag == crc32(bob.encode())
    assert state.following.guests[seat].record.wholes[0][1] == 10


def test_a_fold_that_goes_on_from_a_snapshot_lets_go_of_the_same_users() -> None:
    state = visited_often(POLICY.initial_state(MODELS), "ann", ENOUGH)
    restored = copied(state)
    for user in ("ann", "bob", "ann"):
        state, restored = visited_often(state, user, ENOUGH // 2), visited_often(restored, user, ENOUGH // 2)
    assert POLICY.encode(state) == POLICY.encode(restored)
