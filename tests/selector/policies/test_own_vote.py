"""A user's own vote: what each model's word is worth to one user, learned from that user alone."""

from __future__ import annotations

from random import Random

import pytest

from selector.decisions import Label, Prediction
from selector.policies.own_vote import LABELS, OwnVote
from selector.policy import Predictions

MODELS = ("a", "b", "c")


def said(*labels: Label, models: tuple[str, ...] = MODELS) -> Predictions:
    return {model: Prediction(label) for model, label in zip(models, labels, strict=True)}


def learned(feedbacks: int, models: tuple[str, ...], *wrong: float) -> OwnVote:
    """Four labels; each model errs with its probability, "twin" whenever "b" does."""
    rng, vote = Random(1), OwnVote().with_models(models)
    for _ in range(feedbacks):
        label = rng.randrange(4)
        outputs = {m: (label + (rng.random() < p)) % 4 for m, p in zip(models, wrong, strict=False)}
        if "twin" in models:
            outputs["twin"] = outputs["b"]
        predictions = {model: Prediction(output) for model, output in outputs.items()}
        vote.learn(predictions, {model: output == label for model, output in outputs.items()})
    return vote


def worth(vote: OwnVote, model: str) -> float:
    return vote.wholes[vote.models.index(model)][0]


def test_at_first_the_majority_wins() -> None:
    scores = OwnVote().with_models(MODELS).scores([1, 2], said(1, 2, 2))
    assert scores == pytest.approx([1.0, 2.0, 0.0])


def test_the_model_that_is_right_for_the_user_outvotes_the_others() -> None:
    first, second, _ = learned(60, MODELS, 0.05, 0.6, 0.6).scores([1, 2], said(1, 2, 2))
    assert first > second


def test_two_models_that_make_the_same_mistakes_share_one_vote() -> None:
    alone, together = learned(200, ("a", "b"), 0.2, 0.2), learned(200, ("a", "b", "twin"), 0.2, 0.2)
    assert worth(together, "b") + worth(together, "twin") < 1.3 * worth(alone, "b")
    assert worth(together, "b") < 0.7 * worth(together, "a")


def test_one_label_of_a_model_can_be_worth_less_than_its_others() -> None:
    vote = OwnVote().with_models(MODELS)
    for _ in range(20):
        vote.learn(said(1, 2, 2), {"a": False, "b": True, "c": True})
        vote.learn(said(2, 1, 1), {"a": True, "b": False, "c": False})
    one, two = vote.scores([1, 3], said(1, 3, 3)), vote.scores([2, 3], said(2, 3, 3))
    assert one[0] < one[1]
    assert two[0] > two[1]


def test_what_is_known_of_one_model_alone_teaches_too() -> None:
    vote = OwnVote().with_models(MODELS)
    for _ in range(20):
        vote.learn(said(1, 2, 2), {"a": False})
    assert worth(vote, "a") < 1.0 < worth(vote, "b")


def test_nothing_is_learned_where_nothing_is_known() -> None:
    vote, before = OwnVote().with_models(MODELS), OwnVote().with_models(MODELS)
    vote.learn(said(1, 2, 2), {})
    vote.learn(said(1, 2, 2), {"stranger": True})
    vote.learn({}, {"a": True})
    assert vote == before


def test_models_that_join_begin_as_all_began_and_others_keep_what_they_have() -> None:
    vote = learned(60, ("a", "b"), 0.05, 0.6)
    joined = vote.with_models(MODELS)
    assert worth(joined, "a") == worth(vote, "a")
    assert worth(joined, "c") == 1.0
    joined.learn(said(1, 2, 2), {"a": True})
    assert vote == learned(60, ("a", "b"), 0.05, 0.6)


def test_of_models_that_join_nothing_was_heard() -> None:
    vote = learned(60, ("a", "b"), 0.05, 0.6)
    heard = [vote.with_models(models).heard for models in (("a",), ("a", "b"), MODELS, ("c", "d"), ())]
    assert heard == [60, 60, 40, 0, 0]


def test_memory_is_bounded_whatever_the_labels() -> None:
    vote = OwnVote().with_models(MODELS)
    for i in range(200):
        vote.learn(said(f"label {i}", "other", "other"), dict.fromkeys(MODELS, False))
    assert [len(labels) for labels in vote.by_label] == [LABELS, 1, 1]
