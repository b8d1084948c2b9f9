"""What becomes of events that are to be appended: the rule that joins feedback with each decision once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from feedback_store.contract import Applied, Conflict, Duplicate, Outcome, Pending, UnknownQuery
from selector.decisions import Decision, Entry, Feedback


class Known(Struct, frozen=True):
    """A stored decision, and the feedback that it has already, if any."""

    decision: Decision
    position: int | None = None
    feedback: Feedback | None = None


def queries_of(pending: Iterable[Pending]) -> set[int]:
    """The query ids that the events are about."""
    return {query for p in pending if isinstance(p.event, Feedback) for query in p.event.queries}


def join(pending: Sequence[Pending], known: dict[int, Known], head: int) -> list[Outcome]:
    """The outcome of each event, in order; those that apply get the positions after `head`.

    `known` holds what is stored of `queries_of(pending)`; it is brought up to date.
    """
    outcomes: list[Outcome] = []
    for p in pending:
        outcome = _outcome(p, known, head + 1)
        if isinstance(outcome, Applied):
            head += 1
        outcomes.append(outcome)
    return outcomes


def _outcome(pending: Pending, known: dict[int, Known], position: int) -> Outcome:
    event = pending.event
    if not isinstance(event, Feedback):
        return Applied(Entry(position, pending.application, pending.user, pending.at, event))
    for query in event.queries:
        if query not in known or known[query].decision.application != pending.application:
            return UnknownQuery(query)
    for query in event.queries:
        if (earlier := known[query]).position is not None and earlier.feedback is not None:
            same = _essence(earlier.feedback) == _essence(event)
            return Duplicate(earlier.position) if same else Conflict(earlier.position, earlier.feedback)
    decisions = tuple(known[query].decision for query in event.queries)
    for query, decision in zip(event.queries, decisions, strict=True):
        known[query] = Known(decision, position, event)
    return Applied(Entry(position, pending.application, pending.user, pending.at, event, decisions))


def _essence(feedback: Feedback) -> tuple[object, ...]:
    return feedback.queries, feedback.label, feedback.reward
