"""The log in SQL: SQLite in WAL mode, or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, func, select, update

from feedback_store import reading
from feedback_store import snapshots as kept
from feedback_store.contract import Applied, Outcome, Pending, Row, Snapshot, StoreUnavailable
from feedback_store.database import begin, our_errors
from feedback_store.inserts import insert_into
from feedback_store.joining import join, queries_of
from feedback_store.tables import decisions, events, head, inputs, joins
from selector.decisions import Decision, Entry, Feedback, encode

_HEAD = select(head.c.position)
_LOCKED_HEAD = _HEAD.with_for_update()
_LAST_QUERY = select(func.max(decisions.c.query))


class SqlLog:
    """A `Log` in the database of `engine` (see `feedback_store.database.connect`), whose schema is up to date.

    A group is one transaction: its decisions first, then, under the lock of the one row in `head`,
    its events; so several processes may write, and readers never see a position before a smaller one.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._insert_decisions = insert_into(decisions, engine.dialect)
        self._insert_inputs = insert_into(inputs, engine.dialect)
        self._insert_events = insert_into(events, engine.dialect)
        self._insert_joins = insert_into(joins, engine.dialect)
        self._closed = False

    def commit(self, rows: Sequence[Row], pending: Sequence[Pending]) -> list[Outcome]:
        with self._write(durable=bool(pending)) as connection:
            self._store(connection, rows)
            return self._append(connection, pending) if pending else []

    def decision(self, application: str, query: int) -> Decision | None:
        with self._read() as connection:
            return reading.decision(connection, application, query)

    def input(self, application: str, query: int) -> bytes | None:
        with self._read() as connection:
            return reading.input_of(connection, application, query)

    def query_of(self, application: str, client: str) -> int | None:
        with self._read() as connection:
            return reading.query_of(connection, application, client)

    def entries(self, application: str, after: int = 0, user: str | None = None) -> Iterator[Entry]:
        while True:
            with self._read() as connection:
                page = reading.page(connection, application, after, user)
            yield from page
            if len(page) < reading.PAGE:
                return
            after = page[-1].position

    def judged(self, application: str) -> Iterator[tuple[Decision, Feedback]]:
        after = -1
        while True:
            with self._read() as connection:
                page = reading.judged(connection, application, after)
            yield from page
            if len(page) < reading.PAGE:
                return
            after = page[-1][0].query.id

    def announcement(self, application: str) -> Entry | None:
        with self._read() as connection:
            return reading.announcement(connection, application)

    def head(self) -> int:
        with self._read() as connection:
            return int(connection.execute(_HEAD).scalar_one())

    def last_query(self) -> int:
        with self._read() as connection:
            return connection.execute(_LAST_QUERY).scalar_one() or 0

    def save(self, snapshots: Sequence[Snapshot]) -> None:
        with self._write(durable=False) as connection:
            kept.save(connection, snapshots)

    def snapshot(self, application: str, user: str | None, policy: str) -> Snapshot | None:
        with self._read() as connection:
            return kept.find(connection, application, user, policy)

    def close(self) -> None:
        self._closed = True
        self._engine.dispose()

    def _store(self, connection: Connection, rows: Sequence[Row]) -> None:
        named = [row for row in rows if row.client is not None]
        if named:
            # All writers take the unique keys in one order, so that none waits for one that waits for it.
            named.sort(key=lambda row: (row.application, row.client))
            self._insert_decisions(connection, [_columns(row, row.client) for row in named])
        # What has been stored a moment ago is ignored here; what lost its client id to another is not.
        self._insert_decisions(connection, [_columns(row, None) for row in rows])
        self._insert_inputs(connection, [(row.query, row.input) for row in rows if row.input is not None])

    def _append(self, connection: Connection, pending: Sequence[Pending]) -> list[Outcome]:
        position = connection.execute(_LOCKED_HEAD).scalar_one()
        known = reading.known(connection, queries_of(pending))
        outcomes = join(pending, known, position)
        entries = [outcome.entry for outcome in outcomes if isinstance(outcome, Applied)]
        if entries:
            self._insert_events(connection, [_event(entry) for entry in entries])
            self._insert_joins(connection, [pair for entry in entries for pair in _joins(entry)])
            connection.execute(update(head).values(position=entries[-1].position))
        return outcomes

    @contextmanager
    def _write(self, *, durable: bool) -> Iterator[Connection]:
        with self._read() as connection:
            begin(connection, durable)
            yield connection
            connection.commit()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        with our_errors(), self._engine.connect() as connection:
            yield connection


def _columns(row: Row, client: str | None) -> tuple[object, ...]:
    return row.query, row.application, row.user, client, row.payload


def _event(entry: Entry) -> tuple[int, str, str | None, float, str, bytes]:
    kind = str(entry.event.__struct_config__.tag)
    return entry.position, entry.application, entry.user, entry.at, kind, encode(entry.event)


def _joins(entry: Entry) -> list[tuple[int, int]]:
    queries = entry.event.queries if isinstance(entry.event, Feedback) else ()
    return [(query, entry.position) for query in dict.fromkeys(queries)]
