"""From a URL to a log that is ready for use."""

from __future__ import annotations

from feedback_store.contract import Log
from feedback_store.database import connect
from feedback_store.log import SqlLog
from feedback_store.memory import MemoryLog
from feedback_store.schema import prepare


def open_log(url: str) -> Log:
    """The log at `sqlite:///path`, `postgresql+psycopg://...` or `memory://`.

    An empty database gets its tables. Raises InvalidSetting for another URL, StoreUnavailable if the
    database cannot be reached, and SchemaMismatch if its tables are another version's.
    """
    if url == "memory://":
        return MemoryLog()
    engine = connect(url)
    try:
        prepare(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlLog(engine)
