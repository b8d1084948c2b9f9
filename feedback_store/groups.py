"""A group commit that one bad row or event cannot hold up."""

from __future__ import annotations

from collections.abc import Sequence
from logging import getLogger

from feedback_store.contract import Log, Outcome, Pending, Row, Unstorable

logger = getLogger(__name__)

GROUP_ROWS = 512
"""Rows in one commit: one SQLite statement; to decode them holds up other threads for half a millisecond."""


def commit_group(log: Log, rows: Sequence[Row], pending: Sequence[Pending]) -> list[Outcome | Unstorable]:
    """Commit all together; if something in it cannot be stored, one by one.

    Rows that cannot be stored are dropped and logged; for such an event the error is its outcome.
    Raises StoreUnavailable; then the whole group may be repeated.
    """
    try:
        return [*log.commit(rows, pending)]
    except Unstorable:
        for row in rows:
            _commit_row(log, row)
        return [_commit_event(log, event) for event in pending]


def _commit_row(log: Log, row: Row) -> None:
    try:
        log.commit([row], ())
    except Unstorable as error:
        logger.error("decision %d of %s is lost: %s", row.query, row.application, error)


def _commit_event(log: Log, event: Pending) -> Outcome | Unstorable:
    try:
        return log.commit((), [event])[0]
    except Unstorable as error:
        return error
