"""Engines as the store needs them: durable, impatient with a hung server, and speaking our errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, SQLAlchemyError

from feedback_store.contract import StoreUnavailable, Unstorable
from selector.errors import InvalidSetting

BUSY_SECONDS = 5.0
"""How long a statement waits for another process's lock."""

STATEMENT_SECONDS = 5
"""How long PostgreSQL may work on one statement."""


def connect(url: str) -> Engine:
    """An engine for `sqlite:///path`, in a folder that is there, or `postgresql+psycopg://...`.

    Raises InvalidSetting for any other URL, or where the driver is not installed; connects to nothing yet.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidSetting(f"not a database URL: {url!r}") from error
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return _sqlite(parsed)
        case "postgresql+psycopg":
            return _postgresql(parsed)
    raise InvalidSetting(f"expected sqlite:///..., postgresql+psycopg://... or memory://, not {url!r}")


@contextmanager
def our_errors() -> Iterator[None]:
    """Drivers' errors become StoreUnavailable or Unstorable, with the cause chained."""
    try:
        yield
    except (DataError, OverflowError, UnicodeError) as error:
        raise Unstorable("a text or number that the database cannot hold") from error
    except SQLAlchemyError as error:
        cause = type(getattr(error, "orig", None) or error).__name__
        raise StoreUnavailable(f"the database cannot be reached or written ({cause})") from error


def begin(connection: Connection, durable: bool) -> None:
    """Begin to write. What is committed is on disk (fsynced) if `durable`, else when the next durable commit is."""
    if connection.dialect.name == "sqlite":
        _synchronous(connection, "FULL" if durable else "NORMAL")
        # A transaction that reads first and then writes may fail at once where this one waits its turn.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif not durable:
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")


def _synchronous(connection: Connection, level: str) -> None:
    if connection.info.get("synchronous") != level:
        connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
        connection.info["synchronous"] = level


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise InvalidSetting("SQLite needs a file: sqlite:///path (or use memory://)")
    folder = Path(url.database).parent
    if not folder.is_dir():
        raise StoreUnavailable(f"there is no folder {folder} for the database {Path(url.database).name}")
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None})
    event.listen(engine, "connect", _configure_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _postgresql(url: URL) -> Engine:
    options = f"-c statement_timeout={STATEMENT_SECONDS}s -c lock_timeout={BUSY_SECONDS:g}s"
    impatient = {"connect_timeout": 5, "tcp_user_timeout": 5000, "options": options}
    try:
        return create_engine(url, connect_args=impatient, pool_size=1, pool_pre_ping=True)
    except ImportError as error:
        raise InvalidSetting("PostgreSQL needs a driver: pip install 'windjammer[postgres]'") from error
