"""The writer's thread: groups, acknowledgements, a database that goes and comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

import pytest

from feedback_store import writer as writer_module
from feedback_store.contract import (
    Applied,
    Duplicate,
    Log,
    Outcome,
    Pending,
    Row,
    StoreUnavailable,
    UnknownQuery,
    Unstorable,
)
from feedback_store.memory import MemoryLog
from feedback_store.recovery import recover
from feedback_store.spool import Spool
from feedback_store.writer import Writer
from selector.decisions import ModelsChanged
from tests.feedback_store.samples import a_label, a_row, an_event


class Scripted(MemoryLog):
    """A log that notes its groups and does as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[tuple[list[int], int]] = []
        self.away = False
        self.refused = 0
        self.loses_acknowledgement = False
        self.may_go_on = Event()
        self.may_go_on.set()

    def commit(self, rows: Sequence[Row], pending: Sequence[Pending]) -> list[Outcome]:
        assert self.may_go_on.wait(20)
        if self.away:
            self.refused += 1
            raise StoreUnavailable("away")
        if any(row.user == "unstorable" for row in rows) or any(p.user == "unstorable" for p in pending):
            raise Unstorable("no")
        outcomes = super().commit(rows, pending)
        self.groups.append(([row.query for row in rows], len(pending)))
        if self.loses_acknowledgement:
            self.loses_acknowledgement = False
            raise StoreUnavailable("the connection was lost")
        return outcomes

    def has_committed(self, query: int) -> bool:
        return any(query in group for group, _ in self.groups)


class Caller:
    """The writer's caller, with a queue for its event loop; `log` outlives the writer."""

    def __init__(self, root: Path, log: Scripted) -> None:
        self.root = root
        self.log = log
        self.posted: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.outcomes: list[Any] = []
        self.writer: Writer

    def start(self, linger: float = 0.05, patience: float = 5.0) -> Writer:
        self.writer = Writer(self.log, Spool(self.root, 10_000), self.posted.put, linger=linger, patience=patience)
        return self.writer

    def append(self, *events: Pending) -> None:
        for event in events:
            self.writer.append(event, self.outcomes.append)

    def wait_for(self, count: int) -> list[Any]:
        """The outcomes, when there are that many."""
        while len(self.outcomes) < count:
            self.posted.get(timeout=20)()
        return self.outcomes

    def kinds(self, count: int) -> list[type]:
        return [type(outcome) for outcome in self.wait_for(count)]

    def read(self, read: Callable[[Log], Any]) -> Any:
        """What `read` gives on the writer's thread, after all before it is committed."""
        results: list[Any] = []
        self.writer.call(read, results.append)
        while not results:
            self.posted.get(timeout=20)()
        return results[0]


@pytest.fixture
def log() -> Scripted:
    return Scripted()


@pytest.fixture
def caller(tmp_path: Path, log: Scripted) -> Iterator[Caller]:
    caller = Caller(tmp_path, log)
    yield caller
    log.may_go_on.set()
    log.away = False
    assert caller.writer.close()


class TestGroups:
    def test_an_event_is_committed_with_the_decisions_before_it(self, caller: Caller, log: Scripted) -> None:
        writer = caller.start()
        for query in (1, 2, 3):
            writer.record(a_row(query))
        caller.append(a_label(2))
        (applied,) = caller.wait_for(1)
        assert isinstance(applied, Applied)
        assert applied.entry.position == 1
        assert log.groups == [([1, 2, 3], 1)]

    def test_an_outcome_comes_after_the_commit(self, caller: Caller, log: Scripted) -> None:
        caller.start()
        log.may_go_on.clear()
        caller.append(an_event(ModelsChanged(())))
        assert caller.posted.empty()
        log.may_go_on.set()
        assert caller.kinds(1) == [Applied]

    def test_what_waits_for_a_commit_goes_with_the_next(self, caller: Caller, log: Scripted) -> None:
        writer = caller.start()
        log.may_go_on.clear()
        for query in range(1, 101):
            writer.record(a_row(query))
            caller.append(a_label(query))
        log.may_go_on.set()
        assert caller.kinds(100) == [Applied] * 100
        assert [outcome.entry.position for outcome in caller.outcomes] == list(range(1, 101))
        assert len(log.groups) <= 3

    def test_decisions_wait_for_company(self, caller: Caller, log: Scripted) -> None:
        writer = caller.start(linger=0.2)
        for query in range(1, 101):
            writer.record(a_row(query))
        eventually(lambda: log.groups)
        assert log.groups == [(list(range(1, 101)), 0)]

    def test_decisions_after_a_pause_are_written_too(self, caller: Caller, log: Scripted) -> None:
        writer = caller.start(linger=0.001)
        for query in (1, 2, 3):
            writer.record(a_row(query))
            eventually(partial(log.has_committed, query))
        assert log.groups == [([1], 0), ([2], 0), ([3], 0)]

    def test_many_decisions_come_in_order_over_groups_and_segments(self, caller: Caller, log: Scripted) -> None:
        writer = caller.start()
        for query in range(1, 3001):
            writer.record(a_row(query))
        assert caller.read(lambda log: log.last_query()) == 3000
        assert [query for group, _ in log.groups for query in group] == list(range(1, 3001))
        assert max(len(group) for group, _ in log.groups) <= 512

    def test_nothing_is_looked_for_when_all_is_written(self, caller: Caller, log: Scripted) -> None:
        writer = caller.start(linger=0.001)
        writer.record(a_row(1))
        eventually(lambda: log.groups)
        eventually(lambda: writer._pause() is None)

    def test_outcomes_are_the_log_s(self, caller: Caller) -> None:
        caller.start().record(a_row(1))
        caller.append(a_label(1), a_label(1), a_label(9))
        assert caller.wait_for(3)[1:] == [Duplicate(1), UnknownQuery(9)]


class TestCalls:
    def test_see_what_was_recorded_and_appended_before(self, caller: Caller) -> None:
        caller.start().record(a_row(1))
        caller.append(a_label(1))
        assert caller.read(lambda log: (log.head(), log.last_query())) == (1, 1)

    def test_give_errors_to_whom_asked(self, caller: Caller) -> None:
        caller.start()
        error = caller.read(lambda log: log.commit([a_row(1, user="unstorable")], []))
        assert isinstance(error, Unstorable)
        assert isinstance(caller.read(lambda log: 1 / 0), StoreUnavailable)
        assert caller.read(lambda log: log.head()) == 0


class TestDatabaseAway:
    def test_what_waits_is_written_when_it_is_back(self, caller: Caller, log: Scripted) -> None:
        writer = caller.start(patience=60)
        log.away = True
        for query in range(1, 1001):
            writer.record(a_row(query))
        caller.append(a_label(1000))
        eventually(lambda: log.refused >= 2)
        log.away = False
        assert caller.kinds(1) == [Applied]
        assert caller.read(lambda log: log.last_query()) == 1000
        assert [query for group, _ in log.groups for query in group] == list(range(1, 1001))

    def test_an_event_that_waits_too_long_is_refused_for_good(self, caller: Caller, log: Scripted) -> None:
        writer = caller.start(patience=0.01)
        log.away = True
        writer.record(a_row(1))
        caller.append(a_label(1))
        assert caller.kinds(1) == [StoreUnavailable]
        log.away = False
        assert caller.read(lambda log: (log.head(), log.last_query())) == (0, 1)

    def test_a_call_is_refused_too(self, caller: Caller, log: Scripted) -> None:
        log.away = True
        caller.start(patience=0.01).record(a_row(1))
        assert isinstance(caller.read(lambda log: log.head()), StoreUnavailable)

    def test_a_lost_acknowledgement_is_no_duplicate(self, caller: Caller, log: Scripted) -> None:
        log.loses_acknowledgement = True
        caller.start(patience=60).record(a_row(1))
        caller.append(a_label(1))
        (applied,) = caller.wait_for(1)
        assert isinstance(applied, Applied)
        assert applied.entry.position == log.head() == 1

    def test_too_much_waiting_is_refused_at_once(
        self, caller: Caller, log: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writer_module, "MOST_WAITING", 3)
        caller.start()
        log.may_go_on.clear()
        caller.append(*[an_event(ModelsChanged(()))] * 20)
        assert StoreUnavailable in caller.kinds(10)
        log.may_go_on.set()
        kinds = caller.kinds(20)
        assert kinds.count(Applied) + kinds.count(StoreUnavailable) == 20
        assert log.head() == kinds.count(Applied) >= 1


class TestBadOnes:
    def test_events_do_not_hold_up_the_others(self, caller: Caller, log: Scripted) -> None:
        writer = caller.start()
        log.may_go_on.clear()
        for query in (1, 2, 3):
            writer.record(a_row(query))
        caller.append(a_label(1), a_label(2, user="unstorable"), a_label(3))
        log.may_go_on.set()
        assert caller.kinds(3) == [Applied, Unstorable, Applied]

    def test_decisions_are_dropped_and_named(
        self, caller: Caller, log: Scripted, caplog: pytest.LogCaptureFixture
    ) -> None:
        writer = caller.start()
        for query, user in [(1, "ann"), (2, "unstorable"), (3, "bob")]:
            writer.record(a_row(query, user=user))
        assert caller.read(lambda log: [log.decision("digits", q) is not None for q in (1, 2, 3)]) == [
            True,
            False,
            True,
        ]
        assert "decision 2 of digits is lost" in caplog.text

    def test_receivers_do_not_hold_up_the_others(self, caller: Caller) -> None:
        caller.start().record(a_row(1))
        caller.writer.append(a_label(1), lambda outcome: 1 / 0)  # type: ignore[arg-type]
        caller.append(a_label(1))
        assert caller.wait_for(1) == [Duplicate(1)]


class TestClose:
    def test_writes_what_waits(self, caller: Caller, log: Scripted, tmp_path: Path) -> None:
        writer = caller.start(linger=60)
        for query in range(1, 2001):
            writer.record(a_row(query))
        caller.append(a_label(7))
        assert writer.close()
        assert caller.kinds(1) == [Applied]
        assert sum(len(group) for group, _ in log.groups) == 2000
        assert recover(MemoryLog(), tmp_path) == 0

    def test_leaves_decisions_on_disk_and_refuses_events_while_the_database_is_away(
        self, caller: Caller, log: Scripted, tmp_path: Path
    ) -> None:
        writer = caller.start()
        log.away = True
        writer.record(a_row(1))
        caller.append(a_label(1))
        assert writer.close()
        assert caller.kinds(1) == [StoreUnavailable]
        assert recover(MemoryLog(), tmp_path) == 1

    def test_does_not_wait_for_ever(self, caller: Caller, log: Scripted) -> None:
        writer = caller.start()
        log.may_go_on.clear()
        caller.append(an_event(ModelsChanged(())))
        assert not writer.close(timeout=0.01)

    def test_refuses_what_comes_after_it(self, caller: Caller) -> None:
        caller.start().close()
        caller.append(an_event(ModelsChanged(())))
        assert caller.kinds(1) == [StoreUnavailable]

    def test_survives_a_loop_that_is_gone(self, tmp_path: Path, log: Scripted) -> None:
        def gone(call: Callable[[], None]) -> None:
            raise RuntimeError("Event loop is closed")

        writer = Writer(log, Spool(tmp_path), gone)
        writer.append(an_event(ModelsChanged(())), lambda outcome: None)
        assert writer.close()


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)
