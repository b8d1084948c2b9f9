"""Leanings: a user is answered by the models that serve that user best, as far as that is known to be no chance."""

from __future__ import annotations

from math import inf, log
from random import Random

import pytest

from selector import Ensemble
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.policies.ensemble import EnsembleState
from selector.policies.leanings import Leanings, Record
from selector.policies.own_record import OwnRecord
from selector.policies.own_vote import OwnVote
from selector.policies.trust import Trust

MODELS = ("cnn:1", "svm:1")
POLICY = Ensemble()
EXPERTS = {"ann": "cnn:1", "bob": "svm:1"}
"""Whoever serves a user well errs .1 there, the other one .4."""


def record(**right: tuple[int, int]) -> Record:
    """So many right answers of so many, by model; half of the label 1 and half of 2."""
    names = tuple(f"{name}:1" for name in sorted(right))
    made = Record().with_models(names)
    for name in names:
        hits, seen = right[name.removesuffix(":1")]
        for i in range(seen):
            made.add({name: Prediction(1 + i % 2)}, {name: float(i >= hits)})
    return made


def leanings(
    everyone: Record, own: Record, fresh: tuple[float, ...] = (1.0, 1.0), vote: OwnVote | None = None
) -> Leanings:
    """Of a user who is believed whole."""
    return Leanings(everyone, own, vote or OwnVote(), 10.0, fresh, Trust([1.0, 1.0], [1.0, 1.0]))


def visit(rng: Random, user: str) -> tuple[int, dict[str, Prediction]]:
    label = rng.randrange(4)
    said = {}
    for model in MODELS:
        wrong = rng.random() < (0.1 if EXPERTS[user] == model else 0.4)
        said[model] = Prediction((label + rng.randrange(1, 4)) % 4 if wrong else label)
    return label, said


def learned(visits: int, seed: int = 1) -> tuple[EnsembleState, dict[str, OwnRecord]]:
    """What is known of everyone and of each, after so many visits in random order."""
    rng, everyone = Random(seed), POLICY.initial_state(MODELS)
    own = {user: POLICY.personal.initial_state(MODELS) for user in EXPERTS}
    for i in range(visits):
        user = rng.choice(sorted(EXPERTS))
        label, said = visit(rng, user)
        decision = Decision("", Query(i, MODELS, user), 0.0, "ensemble", (Selection(MODELS, 1.0),), said, Answer(None))
        losses = {model: float(prediction.output != label) for model, prediction in said.items()}
        everyone = POLICY.observe(everyone, decision, losses)
        own[user] = POLICY.personal.observe(own[user], decision, losses)
    return everyone, own


def answer(state: EnsembleState, said: dict[str, Prediction]) -> Answer:
    return POLICY.combine(state, Query(1, MODELS), (Selection(MODELS, 1.0),), said)


def test_a_user_is_answered_by_the_model_that_serves_that_user_best() -> None:
    everyone, own = learned(600)
    said = {"cnn:1": Prediction(1), "svm:1": Prediction(2)}
    outputs = {user: answer(POLICY.blend(everyone, own[user], 5.0), said).output for user in EXPERTS}
    assert outputs == {"ann": 1, "bob": 2}


def test_confidence_stays_the_share_of_right_answers() -> None:
    everyone, own = learned(2_000)
    rng, claimed, right, asked = Random(2), 0.0, 0, 1_500
    for _ in range(asked):
        user = rng.choice(sorted(EXPERTS))
        label, said = visit(rng, user)
        given = answer(POLICY.blend(everyone, own[user], 5.0), said)
        claimed += given.confidence or 0.0
        right += given.output == label
    assert abs(claimed - right) / asked < 0.04  # 4 sd of a share near .9 are .03


def test_users_who_do_not_differ_get_the_populations_state_itself() -> None:
    everyone, own = learned(50)
    assert POLICY.blend(everyone, own["ann"], inf) is everyone


def test_a_leaning_is_the_shrunk_log_odds_less_what_all_models_have_in_common() -> None:
    met = leanings(record(cnn=(498, 998), svm=(498, 998)), record(cnn=(10, 10), svm=(5, 10)))
    k = 1 / (1 / 10 + 1 / 1000)  # everyone's rate is one half, itself known from so many
    shift = log((10 + k / 2) / (k / 2))
    assert met.of_models() == pytest.approx([shift / 2, -shift / 2], rel=0.02)


def test_a_user_for_whom_all_is_hard_leans_to_nobody() -> None:
    met = leanings(record(cnn=(900, 1000), svm=(900, 1000)), record(cnn=(2, 10), svm=(2, 10)))
    assert met.of_models() == pytest.approx([0.0, 0.0])


def test_a_label_of_a_model_can_be_wrong_for_one_user() -> None:
    own = Record().with_models(MODELS)
    for _ in range(20):
        own.add({"cnn:1": Prediction(1), "svm:1": Prediction(2)}, {"cnn:1": 1.0, "svm:1": 0.0})
        own.add({"cnn:1": Prediction(2), "svm:1": Prediction(2)}, {"cnn:1": 0.0, "svm:1": 1.0})
    met = leanings(record(cnn=(900, 1000), svm=(900, 1000)), own)
    ones = met.leant([1, 3], [0.6, 0.3, 0.1], {"cnn:1": Prediction(1), "svm:1": Prediction(3)})
    twos = met.leant([2, 3], [0.6, 0.3, 0.1], {"cnn:1": Prediction(2), "svm:1": Prediction(3)})
    assert sum(ones) == pytest.approx(1.0)
    assert ones[0] < 0.3 < 0.7 < twos[0]


def test_a_label_that_everyones_record_lacks_says_nothing_of_a_user() -> None:
    said = {"cnn:1": Prediction("new"), "svm:1": Prediction(1)}
    own = record(cnn=(0, 0), svm=(0, 0))
    for _ in range(20):
        own.add(said, {"svm:1": 0.0})
    rare = own.with_models(MODELS)
    rare.by_label[0]["new"] = [0, 20]
    everyone = record(cnn=(900, 1000), svm=(900, 1000))
    with_and_without = [leanings(everyone, met).leant(["new", 1], [0.5, 0.4, 0.1], said) for met in (rare, own)]
    assert with_and_without[0] == with_and_without[1]


def test_of_a_model_that_has_changed_a_user_knows_nothing_yet() -> None:
    everyone, own = record(cnn=(900, 1000), svm=(900, 1000)), record(cnn=(20, 20), svm=(10, 20))
    changed = leanings(everyone, own, (0.0, 1.0))
    assert changed.of_models() == [0.0, leanings(everyone, own).of_models()[1]]


def test_the_own_vote_counts_by_what_was_heard_since_a_model_last_changed() -> None:
    known, said = record(cnn=(900, 1000), svm=(900, 1000)), {"cnn:1": Prediction(1), "svm:1": Prediction(2)}
    votes = {heard: OwnVote(MODELS, [0.0, 1.0], [[3.0, 1.0], [1.0, 1.0]], [{}, {}], heard) for heard in (0, 20, 180)}

    def shift(heard: int, *fresh: float) -> float:
        _, by_vote = leanings(known, known, fresh, votes[heard]).shifts([1, 2], [0.4, 0.4, 0.2], said)
        return by_vote[0] - by_vote[1]

    assert [shift(heard, 1.0, 1.0) for heard in votes] == pytest.approx([0.0, 1.0, 1.8])  # 10 count for each model
    assert shift(180, 1.0, 1 / 9) == pytest.approx(shift(20, 1.0, 1.0))
    assert shift(180, 0.0, 1.0) == 0.0


def test_a_record_is_small_whatever_the_labels() -> None:
    own = POLICY.personal.initial_state(MODELS)
    sizes = []
    for i in range(2_000):
        said = {model: Prediction(f"label {i}") for model in MODELS}
        decision = Decision("", Query(i, MODELS), 0.0, "ensemble", (Selection(MODELS, 1.0),), said, Answer(None))
        own = POLICY.personal.observe(own, decision, dict.fromkeys(MODELS, 0.0))
        sizes.append(len(POLICY.personal.encode(own)))
    assert sizes[-1] <= sizes[100] + 20 < 2_000  # counts beyond 127 and 255 take more bytes


def test_a_users_own_fold_goes_on_from_its_snapshot_as_if_it_had_never_stopped() -> None:
    study, rng = POLICY.personal, Random(3)
    own = resumed = study.initial_state(MODELS)
    for i in range(60):
        label, said = visit(rng, "ann")
        decision = Decision("", Query(i, MODELS), 0.0, "ensemble", (Selection(MODELS, 1.0),), said, Answer(None))
        losses = {model: float(prediction.output != label) for model, prediction in said.items()}
        resumed = study.observe(study.decode(study.encode(resumed)), decision, losses)
        own = study.observe(own, decision, losses)
    assert study.encode(own) == study.encode(resumed)
