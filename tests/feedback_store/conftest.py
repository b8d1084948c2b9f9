"""A PostgreSQL server for the session, and logs of every kind."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from sqlalchemy import create_engine, text

from feedback_store.contract import Log
from feedback_store.opening import open_log
from feedback_store.schema import upgrade


class Postgres:
    """A server of our own, that does not wait for the disk."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._names = (f"test{n}" for n in count(1))
        self._execute("ALTER SYSTEM SET fsync = off")
        self._execute("SELECT pg_reload_conf()")
        self._url = self.empty()
        upgrade(self._url)

    def empty(self) -> str:
        """A database without tables."""
        name = next(self._names)
        self._execute(f"CREATE DATABASE {name}")
        return self._uri.replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")

    def fresh(self) -> str:
        """The database with our tables, emptied."""
        engine = create_engine(self._url)
        with engine.begin() as connection:
            connection.execute(text("TRUNCATE decisions, inputs, events, joins, snapshots"))
            connection.execute(text("UPDATE head SET position = 0"))
        engine.dispose()
        return self._url

    def drop_connections(self) -> None:
        """What a restart of the server does to its clients."""
        self._execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the user has no runtime folder, its import says so
        from pgserver.postgres_server import get_server
    # Not pytest's folder: only its owner may enter that, and as root the server runs as another user.
    with TemporaryDirectory() as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield Postgres(server.get_uri())
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with our tables, of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres").fresh())
    url = f"sqlite:///{tmp_path}/log.db"
    upgrade(url)
    return url


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def new_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Log]]:
    """Makes empty logs of one kind."""
    numbers, logs = count(1), []

    def new() -> Log:
        urls: dict[str, Callable[[], str]] = {
            "memory": lambda: "memory://",
            "sqlite": lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db",
            "postgresql": lambda: request.getfixturevalue("postgres").fresh(),
        }
        logs.append(open_log(urls[request.param]()))
        return logs[-1]

    yield new
    for log in logs:
        log.close()


@pytest.fixture
def log(new_log: Callable[[], Log]) -> Log:
    """An empty log, of each kind."""
    return new_log()
