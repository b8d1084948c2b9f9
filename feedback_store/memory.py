"""The log in memory, for notebooks and tests: the same contract, gone with the process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from feedback_store.contract import Applied, Outcome, Pending, Row, Snapshot, StoreUnavailable
from feedback_store.joining import Known, join, queries_of
from selector.decisions import Decision, Entry, Feedback, PolicyChanged, decode_decision


class MemoryLog:
    """A `Log` in dicts."""

    def __init__(self) -> None:
        self._decisions: dict[int, Row] = {}
        self._clients: dict[tuple[str, str], int] = {}
        self._entries: list[Entry] = []
        self._joins: dict[int, Entry] = {}
        self._snapshots: dict[tuple[str, str | None, str], Snapshot] = {}
        self._closed = False

    def commit(self, rows: Sequence[Row], pending: Sequence[Pending]) -> list[Outcome]:
        self._check_open()
        for row in rows:
            if self._decisions.setdefault(row.query, row) is row and row.client is not None:
                self._clients.setdefault((row.application, row.client), row.query)
        known = {q: self._known(q) for q in queries_of(pending) if q in self._decisions}
        outcomes = join(pending, known, self.head())
        for outcome in outcomes:
            if isinstance(outcome, Applied):
                self._append(outcome.entry)
        return outcomes

    def decision(self, application: str, query: int) -> Decision | None:
        self._check_open()
        row = self._decisions.get(query)
        return decode_decision(row.payload) if row is not None and row.application == application else None

    def input(self, application: str, query: int) -> bytes | None:
        self._check_open()
        row = self._decisions.get(query)
        return row.input if row is not None and row.application == application else None

    def query_of(self, application: str, client: str) -> int | None:
        self._check_open()
        return self._clients.get((application, client))

    def entries(self, application: str, after: int = 0, user: str | None = None) -> Iterator[Entry]:
        self._check_open()
        for entry in self._entries[after:]:
            if entry.application == application and (user is None or _concerns(entry, user)):
                yield entry

    def judged(self, application: str) -> Iterator[tuple[Decision, Feedback]]:
        self._check_open()
        for query in sorted(self._joins):
            known = self._known(query)
            if known.feedback is not None and known.decision.application == application:
                yield known.decision, known.feedback

    def announcement(self, application: str) -> Entry | None:
        self._check_open()
        changes = (e for e in reversed(self._entries) if isinstance(e.event, PolicyChanged))
        return next((entry for entry in changes if entry.application == application), None)

    def head(self) -> int:
        self._check_open()
        return len(self._entries)

    def last_query(self) -> int:
        self._check_open()
        return max(self._decisions, default=0)

    def save(self, snapshots: Sequence[Snapshot]) -> None:
        self._check_open()
        for new in snapshots:
            key = (new.application, new.user, new.policy)
            if key not in self._snapshots or self._snapshots[key].position < new.position:
                self._snapshots[key] = new

    def snapshot(self, application: str, user: str | None, policy: str) -> Snapshot | None:
        self._check_open()
        return self._snapshots.get((application, user, policy))

    def close(self) -> None:
        self._closed = True

    def _known(self, query: int) -> Known:
        decision = decode_decision(self._decisions[query].payload)
        entry = self._joins.get(query)
        if entry is None or not isinstance(entry.event, Feedback):
            return Known(decision)
        return Known(decision, entry.position, entry.event)

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        if isinstance(entry.event, Feedback):
            self._joins.update(dict.fromkeys(entry.event.queries, entry))

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")


def _concerns(entry: Entry, user: str) -> bool:
    return entry.user == user or (entry.user is None and not isinstance(entry.event, Feedback))
