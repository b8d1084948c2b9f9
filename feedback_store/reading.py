"""What is read back of decisions and events: statements, and their rows as values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, null, select, union_all

from feedback_store.joining import Known
from feedback_store.tables import NOT_FEEDBACK, decisions, events, inputs, joins
from selector.decisions import Decision, Entry, Event, Feedback, decode_decision, decode_event

PAGE = 500
"""Entries, and query ids, in one statement: about 150 kB of rows at once."""

LARGEST_QUERY = 2**63 - 1

# Statements are built once: that takes longer than to read a user. No page takes longer the longer the log is.
_ENTRY = select(events.c.position, events.c.user, events.c.at, events.c.payload)
OF_APPLICATION = (
    _ENTRY.where(events.c.application == bindparam("application"), events.c.position > bindparam("after"))
    .order_by(events.c.position)
    .limit(PAGE)
)
_OWN = OF_APPLICATION.where(events.c.user == bindparam("owner"))
_ABOUT_APPLICATION = OF_APPLICATION.where(NOT_FEEDBACK, events.c.user.is_(null()))
OF_USER = (  # two indexes, each read in order from `after`, and merged
    union_all(_OWN.subquery().select(), _ABOUT_APPLICATION.subquery().select()).order_by("position").limit(PAGE)
)

_POLICY_CHANGED: Select[Any] = (
    _ENTRY.where(NOT_FEEDBACK, events.c.application == bindparam("application"), events.c.kind == "policy")
    .order_by(events.c.position.desc())
    .limit(1)
)

_DECISION = select(decisions.c.payload)
_DECISIONS = select(decisions.c.query, decisions.c.payload)
_KNOWN = (
    select(decisions.c.query, decisions.c.payload, joins.c.position, events.c.payload.label("feedback"))
    .outerjoin_from(decisions, joins, joins.c.query == decisions.c.query)
    .outerjoin(events, events.c.position == joins.c.position)
)
_JUDGED = (
    select(decisions.c.payload, events.c.payload.label("feedback"))
    .join_from(joins, decisions, joins.c.query == decisions.c.query)
    .join(events, events.c.position == joins.c.position)
    .where(decisions.c.application == bindparam("application"), joins.c.query > bindparam("after"))
    .order_by(joins.c.query)
    .limit(PAGE)
)


def decision(connection: Connection, application: str, query: int) -> Decision | None:
    """The decision of that id in this application."""
    if not 0 <= query <= LARGEST_QUERY:
        return None
    statement = _DECISION.where(decisions.c.query == query, decisions.c.application == application)
    payload = connection.execute(statement).scalar_one_or_none()
    return None if payload is None else decode_decision(payload)


def input_of(connection: Connection, application: str, query: int) -> bytes | None:
    """The input that was kept with that decision."""
    if not 0 <= query <= LARGEST_QUERY:
        return None
    statement = select(inputs.c.payload).join_from(inputs, decisions, inputs.c.query == decisions.c.query)
    return connection.execute(
        statement.where(decisions.c.query == query, decisions.c.application == application)
    ).scalar_one_or_none()


def query_of(connection: Connection, application: str, client: str) -> int | None:
    """The query id of the decision with that client id."""
    statement = select(decisions.c.query).where(
        decisions.c.application == application, decisions.c.client == client, decisions.c.client.is_not(null())
    )
    return connection.execute(statement).scalar_one_or_none()


def known(connection: Connection, queries: Collection[int]) -> dict[int, Known]:
    """Those of the decisions that are stored, with the feedback that they have."""
    return {
        row.query: Known(decode_decision(row.payload), row.position, _feedback(row.feedback))
        for row in _of_queries(connection, _KNOWN, queries)
    }


def judged(connection: Connection, application: str, after: int) -> list[tuple[Decision, Feedback]]:
    """At most `PAGE` decisions of ids greater than `after` that have feedback, with it, in the order of their ids."""
    rows = connection.execute(_JUDGED, {"application": application, "after": after}).all()
    found = [(decode_decision(row.payload), _feedback(row.feedback)) for row in rows]
    return [(decision, feedback) for decision, feedback in found if feedback is not None]


def announcement(connection: Connection, application: str) -> Entry | None:
    """The last PolicyChanged."""
    rows = connection.execute(_POLICY_CHANGED, {"application": application}).all()
    return _entry(application, rows[0], decode_event(rows[0].payload), {}) if rows else None


def page(connection: Connection, application: str, after: int, user: str | None) -> Sequence[Entry]:
    """At most `PAGE` entries at positions greater than `after`, in order, with their decisions."""
    statement, parameters = (OF_APPLICATION, {}) if user is None else (OF_USER, {"owner": user})
    rows = connection.execute(statement, {"application": application, "after": after, **parameters}).all()
    pairs = [(row, decode_event(row.payload)) for row in rows]
    queries = {query for _, event in pairs if isinstance(event, Feedback) for query in event.queries}
    found = {row.query: decode_decision(row.payload) for row in _of_queries(connection, _DECISIONS, queries)}
    return [_entry(application, row, event, found) for row, event in pairs]


def _of_queries(connection: Connection, statement: Select[Any], queries: Collection[int]) -> Iterator[Row[Any]]:
    ids = sorted(query for query in queries if 0 <= query <= LARGEST_QUERY)
    for start in range(0, len(ids), PAGE):
        yield from connection.execute(statement.where(decisions.c.query.in_(ids[start : start + PAGE])))


def _entry(application: str, row: Row[Any], event: Event, found: Mapping[int, Decision]) -> Entry:
    decided = tuple(found[query] for query in event.queries) if isinstance(event, Feedback) else ()
    return Entry(row.position, application, row.user, row.at, event, decided)


def _feedback(payload: bytes | None) -> Feedback | None:
    event = None if payload is None else decode_event(payload)
    return event if isinstance(event, Feedback) else None
