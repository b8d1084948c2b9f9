"""The log against what the users were told: nothing acknowledged may be missing, repeated or altered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from feedback_store.contract import Log
from selector.decisions import Entry, Feedback
from selector.learner import Learner
from selector.losses import Loss
from selector.policy import Policy
from serving.demo.evidence import Audit
from serving.demo.outcomes import Outcome


def audit(
    log: Log,
    application: str,
    policy: Policy[Any],
    loss: Loss,
    outcomes: Iterable[Outcome],
    state: Mapping[str, Mapping[str, float]],
) -> Audit:
    """Read the whole log of `application`. `state` is what the server says that its policy knows, by model."""
    learner = Learner(policy, loss)
    times: Counter[int] = Counter()
    truths: dict[int, tuple[object, object]] = {}
    for entry in log.entries(application):
        learner.fold(entry)
        for query, truth in _truths(entry):
            times[query] += 1
            truths[query] = truth
    told = {int(outcome.query): (outcome.label, outcome.output) for outcome in outcomes}
    return Audit(
        application,
        acknowledged=len(told),
        missing=sum(query not in truths for query in told),
        repeated=sum(times[query] > 1 for query in told),
        altered=sum(query in truths and truths[query] != truth for query, truth in told.items()),
        same_state=policy.describe(learner.state) == state,
    )


def _truths(entry: Entry) -> Iterable[tuple[int, tuple[object, object]]]:
    """Query ids, each with the label and the answer that the log holds for it."""
    if isinstance(entry.event, Feedback):
        for decision in entry.decisions:
            yield decision.query.id, (entry.event.label, decision.answer.output)
