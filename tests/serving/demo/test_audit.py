from __future__ import annotations

import pytest
from msgspec.structs import replace

from feedback_store.contract import Pending, Row
from feedback_store.memory import MemoryLog
from selector.decisions import Answer, Decision, Feedback, ModelsChanged, Prediction, Query, Selection, encode
from selector.losses import ZeroOne
from selector.policies.exp4 import Exp4
from serving.demo.audit import audit
from serving.demo.evidence import Audit
from serving.demo.outcomes import Outcome

MODELS = ("cnn:1", "svm:1")
TOLD = [Outcome("digits", "before", label, str(label), 3, False, None, {}, seconds=0.01) for label in range(1, 6)]


def log_of(outcomes: list[Outcome]) -> MemoryLog:
    log = MemoryLog()
    log.commit([], [Pending("digits", None, 0.0, ModelsChanged(MODELS))])
    for outcome in outcomes:
        query = Query(int(outcome.query), MODELS)
        predictions = {"cnn:1": Prediction(outcome.output), "svm:1": Prediction(5)}
        decision = Decision(
            "digits", query, 0.0, "exp4", (Selection(MODELS, 1.0),), predictions, Answer(outcome.output)
        )
        row = Row(query.id, "digits", None, None, encode(decision))
        log.commit([row], [Pending("digits", None, 0.0, Feedback((query.id,), outcome.label))])
    return log


def state_of(log: MemoryLog) -> dict[str, dict[str, float]]:
    policy = Exp4()
    state = policy.initial_state(MODELS)
    for entry in log.entries("digits"):
        if isinstance(entry.event, Feedback):
            label = entry.event.label
            losses = {model: float(p.output != label) for model, p in entry.decisions[0].predictions.items()}
            state = policy.observe(state, entry.decisions[0], losses)
    return policy.describe(state)


def audited(log: MemoryLog, told: list[Outcome] = TOLD, state: dict[str, dict[str, float]] | None = None) -> Audit:
    return audit(log, "digits", Exp4(), ZeroOne(), told, state_of(log) if state is None else state)


def test_a_sound_log_holds_everything_once() -> None:
    assert audited(log_of(TOLD)) == Audit("digits", 5, missing=0, repeated=0, altered=0, same_state=True)


def test_a_truth_that_is_not_in_the_log_is_missing() -> None:
    assert audited(log_of(TOLD[1:])).missing == 1


@pytest.mark.parametrize("change", [{"label": 9}, {"output": 9}])
def test_another_label_or_another_answer_than_the_user_was_told_is_altered(change: dict[str, int]) -> None:
    assert audited(log_of(TOLD), told=[replace(TOLD[0], **change), *TOLD[1:]]).altered == 1


def test_a_truth_that_stands_in_the_log_twice_is_repeated() -> None:
    class Doubled(MemoryLog):
        def entries(self, application: str, after: int = 0, user: str | None = None):  # type: ignore[no-untyped-def]
            for entry in super().entries(application, after, user):
                yield entry
                if entry.position == 2:
                    yield entry

    log = Doubled()
    log.__dict__ = log_of(TOLD).__dict__

    assert audited(log).repeated == 1


def test_a_server_that_knows_something_else_than_the_log_is_found() -> None:
    log = log_of(TOLD)
    state = state_of(log)
    state["cnn:1"]["weight"] += 1e-9

    assert not audited(log, state=state).same_state
