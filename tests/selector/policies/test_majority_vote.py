"""Majority vote: one vote each, the median of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from selector import MajorityVote
from selector.decisions import Answer, Decision, Feedback, Label, Prediction, Query, Selection
from selector.losses import ZeroOne, losses_of
from selector.policies.majority_vote import Votes
from selector.policy import Task
from tests.selector.worlds import MODELS


def answer(task: Task, said: dict[str, Label]) -> Answer:
    policy = MajorityVote(task=task)
    predictions = {model: Prediction(output) for model, output in said.items()}
    return policy.combine(policy.initial_state(MODELS), Query(1, MODELS), (Selection(MODELS, 1.0),), predictions)


def predictions_of(rankings: Sequence[tuple[Label, ...]]) -> dict[str, Prediction]:
    """Each model gives what it finds the most likely, and the next likely."""
    said = {}
    for model, (output, *next_best) in zip(MODELS, rankings, strict=True):
        probabilities = ((output, 0.6), (next_best[0], 0.3), ("other", 0.1)) if next_best else None
        said[model] = Prediction(output, probabilities=probabilities)
    return said


def asked(policy: MajorityVote, rankings: Sequence[tuple[Label, ...]], state: Votes | None = None) -> Decision:
    query, selections, said = Query(1, MODELS), (Selection(MODELS, 1.0),), predictions_of(rankings)
    state = policy.initial_state(MODELS) if state is None else state
    return Decision("", query, 0.0, policy.name, selections, said, policy.combine(state, query, selections, said))


def test_most_votes_win() -> None:
    given = answer("classification", {"cnn:1": "cat", "forest:1": "dog", "svm:1": "dog"})
    assert given.output == "dog"
    assert given.confidence == pytest.approx(2 / 3)


def test_one_model_asked_by_another_policy_is_no_agreement_of_all() -> None:
    policy = MajorityVote()
    state, said = policy.initial_state(MODELS), {"cnn:1": Prediction("cat")}
    decision = Decision("", Query(1, MODELS), 0.0, "exp3", (Selection(("cnn:1",), 0.3),), said, Answer("cat"))
    for _ in range(100):
        state = policy.observe(state, decision, {"cnn:1": 1.0})
    everyone = dict.fromkeys(MODELS, Prediction("cat"))
    agreed = policy.combine(state, Query(2, MODELS), (Selection(MODELS, 1.0),), everyone)
    alone = policy.combine(state, Query(3, MODELS), (Selection(MODELS, 1.0),), said)
    assert agreed.confidence == 1.0
    assert alone.confidence is not None
    assert alone.confidence < 0.01


def test_a_tie_goes_to_the_first_by_name() -> None:
    assert answer("classification", {"svm:1": "dog", "cnn:1": "cat"}).output == "cat"


def test_numbers_are_answered_by_their_median() -> None:
    assert answer("regression", {"cnn:1": 1.0, "forest:1": 3, "svm:1": 1e9}) == Answer(3.0, 1.0)


def test_what_is_no_number_counts_as_missing() -> None:
    given = answer("regression", {"cnn:1": 1.0, "forest:1": "three", "svm:1": 3.0})
    assert given.output == 2.0
    assert given.confidence == pytest.approx(2 / 3)


def test_votes_for_several_labels_are_those_of_the_likeliest() -> None:
    """Nobody puts the dog first, yet it is what all of them have among their first two."""
    given = asked(MajorityVote(top=2), [("cat", "dog"), ("fox", "dog"), ("owl", "dog")]).answer
    assert given.output == "cat"
    assert given.top == ("cat", "dog")
    assert given.confidence == 1.0


def test_a_model_without_a_distribution_has_one_vote() -> None:
    given = asked(MajorityVote(top=2), [("cat", "dog"), ("dog",), ("cat",)]).answer
    assert given.top == ("cat", "dog")
    assert given.confidence == pytest.approx(2 / 3)


@pytest.mark.parametrize("top", [1, 2])
def test_agreement_becomes_the_probability_of_being_right(top: int) -> None:
    """Three models that err together: all agree on most inputs, and a third of these answers is wrong."""
    policy, rng, claims = MajorityVote(top=top), Random(6), []
    loss, state = policy.judged_by(ZeroOne()), policy.initial_state(MODELS)
    for query in range(3_000):
        truth, wrong = rng.choice([(0, 1), (2, 3)])
        common = (truth, 9) if rng.random() < 2 / 3 else (wrong, 8)
        rankings = [common if rng.random() < 0.9 else (7, 6) for _ in MODELS]
        decision = asked(policy, rankings, state)
        if rankings == [common] * 3:
            claims.append(decision.answer.confidence)
        state = policy.observe(state, decision, losses_of(decision, Feedback((query,), truth), loss))
    assert claims[0] == 1.0
    assert claims[-1] == pytest.approx(2 / 3, abs=4 * (2 / 9 / len(claims)) ** 0.5)


def test_who_was_right_tells_whether_the_truth_was_among_the_answers() -> None:
    policy = MajorityVote(top=2)
    rankings = [("a", "b"), ("a", "c"), ("d", "a")]
    for truth, known in (("a", 1.0), ("d", 1.0), ("b", 0.0), ("x", 0.0)):
        state = policy.initial_state(MODELS)
        decision = asked(policy, rankings, state)
        assert decision.answer.top == ("a", "d")
        losses = losses_of(decision, Feedback((1,), truth), policy.judged_by(ZeroOne()))
        after = asked(policy, rankings, policy.observe(state, decision, losses)).answer
        assert after.confidence == pytest.approx((known + 1.0) / 2)
