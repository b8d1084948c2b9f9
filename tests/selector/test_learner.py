"""The fold: total, resumable, and the same wherever it starts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from selector.certainty import Certainty, Record
from selector.confidence import Threshold
from selector.decisions import (
    Answer,
    Decision,
    Entry,
    Event,
    Feedback,
    HealthChanged,
    ModelsChanged,
    PolicyChanged,
    Prediction,
    Query,
    Selection,
)
from selector.learner import Learner
from selector.losses import Absolute, LogLoss, ZeroOne
from selector.policy import Policy
from selector.population import Population
from tests.selector.worlds import CLASSIFIERS, MODELS, play, title


def entry(position: int, event: Event, *decisions: Decision) -> Entry:
    return Entry(position, "app", None, float(position), event, decisions)


def log_of(policy: Policy[Any], queries: int) -> list[Entry]:
    """A log as an application writes it: models, feedback, a model that leaves and comes back, another policy."""
    _, steps = play(policy, policy.initial_state(MODELS), queries, seed=11, delay=5)
    events: list[tuple[Event, tuple[Decision, ...]]] = [(ModelsChanged(MODELS), ())]
    for i, step in enumerate(steps):
        if i == queries // 3:
            events.append((HealthChanged(MODELS[2], "quarantined", "it failed", {"loss": (0.1, 0.9)}), ()))
            events.append((HealthChanged(MODELS[0], "suspect", "it may have"), ()))
            events.append((ModelsChanged(MODELS[:2]), ()))
        if i == queries // 2:
            events += [(ModelsChanged(MODELS), ()), (PolicyChanged("another"), ())]
        events.append((Feedback((step.decision.query.id,), label=i % 4), (step.decision,)))
    return [entry(position, event, *decisions) for position, (event, decisions) in enumerate(events, start=1)]


@pytest.mark.parametrize("policy", CLASSIFIERS, ids=title)
def test_a_fold_from_a_snapshot_is_the_fold_from_the_beginning(policy: Policy[Any]) -> None:
    log = log_of(policy, 150)
    whole = Learner(policy, ZeroOne()).fold_all(log)
    for cut in (0, 1, 60, len(log)):
        first = Learner(policy, ZeroOne()).fold_all(log[:cut])
        resumed = Learner(policy, ZeroOne())
        resumed.restore(first.encode(), first.position)
        assert resumed.fold_all(log).encode() == whole.encode()  # what the snapshot holds is ignored
        assert (resumed.position, resumed.models) == (len(log), MODELS)


@pytest.mark.parametrize("policy", CLASSIFIERS, ids=title)
def test_another_policys_log_can_be_folded(policy: Policy[Any]) -> None:
    for other in CLASSIFIERS:
        learner = Learner(policy, ZeroOne()).fold_all(log_of(other, 30))
        assert learner.skipped == 0
        assert set(policy.describe(learner.state)) == set(MODELS)


def test_what_the_loss_cannot_take_is_counted_and_changes_nothing_else() -> None:
    policy = next(p for p in CLASSIFIERS if p.name == "exp4")
    decision = Decision("app", Query(1, MODELS), 0.0, "exp4", (), {"cnn:1": Prediction(1.0)}, Answer(1))
    learner = Learner(policy, Absolute()).fold_all([entry(1, ModelsChanged(MODELS))])
    before = policy.encode(learner.state)
    learner.fold(entry(2, Feedback((1,), label="three"), decision))
    assert (learner.skipped, learner.position) == (1, 2)
    assert policy.encode(learner.state) == before


@pytest.mark.parametrize("policy", CLASSIFIERS, ids=title)
def test_feedback_may_join_predictions_to_a_query_that_nobody_could_be_asked(policy: Policy[Any]) -> None:
    """All models were down, the default was the answer; but the cache knew what one says of this input."""
    decision = Decision("app", Query(1, ()), 0.0, policy.name, (), {}, Answer(-1, default=True))
    log = [
        entry(1, ModelsChanged(MODELS)),
        entry(2, Feedback((1,), label=3, joined={"cnn:1": Prediction(3)}), decision),
    ]
    assert Learner(policy, ZeroOne()).fold_all(log).skipped == 0


def test_an_episode_credits_each_of_its_decisions() -> None:
    policy = next(p for p in CLASSIFIERS if p.name == "ucb1")
    decisions = [
        Decision("app", Query(i, MODELS), 0.0, "ucb1", (Selection((m,), 1.0),), {m: Prediction(1)}, Answer(1))
        for i, m in enumerate(MODELS[:2])
    ]
    learner = Learner(policy, ZeroOne()).fold_all([entry(1, ModelsChanged(MODELS))])
    learner.fold(entry(2, Feedback((0, 1), reward=0.25), *decisions))
    assert (learner.state.tally.counts, learner.state.tally.losses) == ([1, 1, 0], [0.75, 0.75, 0])


@pytest.mark.parametrize("name", ["ensemble", "cascade", "auto"])
def test_what_learns_who_was_right_learns_it_whatever_the_loss_is(name: str) -> None:
    """The log loss of a label with probability .2 is .32: small, but the model has said another one."""
    policy = next(p for p in CLASSIFIERS if p.name == name)
    torn = Prediction(1, probabilities=((1, 0.6), (2, 0.2), (3, 0.2)))
    decision = Decision(
        "app", Query(1, MODELS), 0.0, "ensemble", (), {"cnn:1": torn, "svm:1": Prediction(2)}, Answer(1)
    )
    log = [entry(1, ModelsChanged(MODELS)), entry(2, Feedback((1,), label=2), decision)]
    strict, graded = (Learner(policy, loss).fold_all(log) for loss in (ZeroOne(), LogLoss()))
    assert graded.encode() == strict.encode()


def judged(position: int, confidence: float) -> Entry:
    answer = Answer(1, confidence, sure=False)
    decision = Decision("app", Query(position, MODELS), 0.0, "exp4", (), {"cnn:1": Prediction(1)}, answer)
    return entry(position, Feedback((position,), label=1), decision)


def test_what_makes_answers_sure_is_part_of_the_fold_and_ends_with_the_policy() -> None:
    policy = next(p for p in CLASSIFIERS if p.name == "exp4")
    certainty = Certainty(threshold=Threshold(target_error=0.1))
    log = [entry(1, ModelsChanged(MODELS)), *(judged(position, 0.95) for position in range(2, 502))]
    whole = Population(policy, ZeroOne(), certainty).fold_all(log)
    assert certainty.judge(whole.record, Answer(1, 0.95), {}).sure is True

    first = Population(policy, ZeroOne(), certainty).fold_all(log[:90])
    resumed = Population(policy, ZeroOne(), certainty)
    resumed.restore(first.encode(), first.position)
    assert resumed.fold_all(log).encode() == whole.encode()

    whole.fold(entry(502, PolicyChanged("another")))
    assert whole.record == Record()


def test_entries_that_were_folded_are_ignored() -> None:
    policy = next(p for p in CLASSIFIERS if p.name == "exp3")
    log = log_of(policy, 20)
    assert (
        Learner(policy, ZeroOne()).fold_all([*log, *log]).encode() == Learner(policy, ZeroOne()).fold_all(log).encode()
    )


def test_bytes_of_something_else_are_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        Learner(CLASSIFIERS[0], ZeroOne()).restore(msgspec.msgpack.encode({"no": "state"}), 1)
