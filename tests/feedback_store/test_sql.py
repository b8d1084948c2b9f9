"""What holds of the databases alone: durability, several writers, connections that break."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from feedback_store.contract import Applied, Log, StoreUnavailable, Unstorable
from feedback_store.database import connect
from feedback_store.log import SqlLog
from feedback_store.opening import open_log
from tests.feedback_store.conftest import Postgres
from tests.feedback_store.samples import a_label, a_row

Outcomes = list[tuple[str, int, int]]
"""Kind, position and query of each."""

CHILD = Path(__file__).with_name("child_observing.py")


@pytest.fixture
def sql_log(url: str) -> Iterator[Log]:
    log = open_log(url)
    yield log
    log.close()


def test_only_groups_with_an_event_wait_for_the_disk(url: str) -> None:
    engine = connect(url)
    log, levels = SqlLog(engine), []

    def note(connection: Connection) -> None:
        sqlite = engine.dialect.name == "sqlite"
        levels.append(
            connection.exec_driver_sql(
                f"{'PRAGMA' if sqlite else 'SHOW'} synchronous" + "_commit" * (not sqlite)
            ).scalar()
        )

    event.listen(engine, "commit", note)
    log.commit([a_row(1)], [])
    log.commit([a_row(2)], [a_label(1)])
    log.commit([a_row(3)], [])
    log.close()
    full, normal = (2, 1) if engine.dialect.name == "sqlite" else ("on", "off")
    assert levels == [normal, full, normal]


def test_a_group_is_written_wholly_or_not_at_all(sql_log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise StoreUnavailable("lost")

    with monkeypatch.context() as patch:
        patch.setattr(sql_log, "_insert_joins", fail)
        with pytest.raises(StoreUnavailable):
            sql_log.commit([a_row(1)], [a_label(1)])
    assert (sql_log.last_query(), sql_log.head()) == (0, 0)
    assert isinstance(sql_log.commit([a_row(1)], [a_label(1)])[0], Applied)


def test_postgresql_cannot_store_a_nul(postgres: Postgres) -> None:
    log = open_log(postgres.fresh())
    with pytest.raises(Unstorable) as caught:
        log.commit([a_row(1), a_row(2, user="a\0b")], [])
    assert caught.value.__cause__ is not None
    assert log.last_query() == 0
    log.close()


def test_a_surrogate_cannot_be_stored(sql_log: Log) -> None:
    with pytest.raises(Unstorable):
        sql_log.commit([a_row(1)], [a_label(1, user="\ud800")])
    assert sql_log.last_query() == 0


def test_a_restart_of_the_server_is_survived(postgres: Postgres) -> None:
    log = open_log(postgres.fresh())
    log.commit([a_row(1)], [a_label(1)])
    postgres.drop_connections()
    assert log.head() == 1
    log.close()


def test_a_locked_database_is_unavailable_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback_store.database.BUSY_SECONDS", 0.01)
    log = open_log(f"sqlite:///{tmp_path}/log.db")
    other = connect(f"sqlite:///{tmp_path}/log.db")
    with other.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable) as caught:
            log.commit([a_row(1)], [])
        assert "locked" in str(caught.value.__cause__)
        assert log.head() == 0
    other.dispose()
    log.commit([a_row(1)], [])
    assert log.last_query() == 1
    log.close()


def test_two_processes_join_once_and_leave_no_gap(url: str, sql_log: Log) -> None:
    queries = range(1, 201)
    sql_log.commit([a_row(query) for query in queries], [])
    with Child(url, 1) as one, Child(url, 2) as two:
        seen: list[int] = []
        outcomes: tuple[Outcomes, Outcomes] = [], []
        for _ in range(25):
            one.go()
            two.go()
            # Read while others write: a position never appears before a smaller one.
            seen += [entry.position for entry in sql_log.entries("digits", len(seen))]
            for child, of_child in zip((one, two), outcomes, strict=True):
                of_child += child.done()
        seen += [entry.position for entry in sql_log.entries("digits", len(seen))]
    assert seen == list(queries)
    applied = [[(p, query) for kind, p, query in child if kind == "Applied"] for child in outcomes]
    assert sorted(applied[0] + applied[1]) == [(e.position, e.decisions[0].query.id) for e in sql_log.entries("digits")]
    assert sorted(query for _, query in applied[0] + applied[1]) == list(queries)
    assert all(applied), "both wrote"
    assert {kind for child in outcomes for kind, _, _ in child} == {"Applied", "Duplicate", "Conflict"}


class Child:
    """Another process that gives feedback about queries 1 to 200, eight whenever it is told to go."""

    def __init__(self, url: str, seed: int) -> None:
        command = [sys.executable, str(CHILD), url, str(seed)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Child:
        self._process.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.__exit__(None, None, None)

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def done(self) -> Outcomes:
        assert self._process.stdout is not None
        return [(kind, position, query) for kind, position, query in json.loads(self._process.stdout.readline())]
