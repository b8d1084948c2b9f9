"""After a crash: what dead processes had spooled goes into the log, and learners are folded up to its end."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from functools import partial
from itertools import islice, takewhile
from logging import getLogger
from mmap import mmap
from pathlib import Path

from msgspec import DecodeError

from feedback_store.claims import claim_abandoned
from feedback_store.contract import Log, Row
from feedback_store.groups import GROUP_ROWS, commit_group
from feedback_store.segments import open_segment
from feedback_store.spool import SUFFIX, rows_of
from selector.decisions import Entry
from selector.learner import Learner

logger = getLogger(__name__)


def recover(log: Log, root: Path) -> int:
    """Commit the rows in all spools under `root` whose owners are dead, and delete those; how many rows there were.

    Rows that the log has already are ignored by it, so a recovery that was itself cut short is
    repeated. Raises StoreUnavailable; then the spools that remain are whole.
    """
    with ExitStack() as claims:
        folders = []
        for claim in claim_abandoned(root):
            claims.callback(claim.release)
            folders.append(claim.folder)
        return sum(_commit_segments(log, folder) for folder in folders)


def restore(log: Log, application: str, user: str | None, policy: str, learner: Learner) -> int:
    """Bring a new `learner` up to the end of the log, from its newest snapshot; how many entries were folded.

    `policy` identifies the fold, as in `Snapshot`. A snapshot that the policy cannot decode, written
    by another version, is passed over: the log has all that it held. An entry at which the policy raises is skipped,
    counted and logged.
    """
    snapshot = log.snapshot(application, user, policy)
    if snapshot is not None:
        with suppress(DecodeError):
            learner.restore(snapshot.data, snapshot.position)
    count, firm = 0, (learner.encode(), learner.position)
    for entry in log.entries(application, learner.position, user):
        try:
            learner.fold(entry)
        except Exception:
            logger.exception(
                "application %s: event %d is skipped: the policy cannot learn", application, entry.position
            )
            learner.restore(*firm)  # half of a lesson may have been learned
            learner.fold_all(takewhile(partial(_earlier, entry), log.entries(application, learner.position, user)))
            learner.skip(entry)
            firm = (learner.encode(), learner.position)
        count += 1
    return count


def _earlier(than: Entry, entry: Entry) -> bool:
    return entry.position < than.position


def _commit_segments(log: Log, folder: Path) -> int:
    count = 0
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with open_segment(path) as segment:
            count += _commit_all(log, segment)
        path.unlink()
    return count


def _commit_all(log: Log, segment: mmap) -> int:
    rows = (row for row, _ in rows_of(segment))
    count = 0
    while group := list[Row](islice(rows, GROUP_ROWS)):
        commit_group(log, group, ())
        count += len(group)
    return count
