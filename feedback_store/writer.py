"""The one thread that writes: decisions in large groups, events at once, all that waits in one commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from logging import getLogger
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from msgspec import Struct

from feedback_store.contract import Applied, Duplicate, Log, Outcome, Pending, Row, StoreUnavailable
from feedback_store.groups import GROUP_ROWS, commit_group
from feedback_store.spool import Mark, Spool
from selector.errors import WindjammerError

logger = getLogger(__name__)

T = TypeVar("T")
Clock = Callable[[], float]
Done = Callable[[Any], None]

GROUP_EVENTS = 1024
MOST_WAITING = 16384
"""Events and calls that may wait, about 10 MB; more are refused at once."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds between attempts while the database is away: doubled from the first to the longest."""


class _Append(Struct):
    pending: Pending
    done: Done
    after: Mark
    deadline: float
    tried: bool = False


class _Call(Struct):
    read: Callable[[Log], Any]
    done: Done
    after: Mark
    deadline: float


_Work = _Append | _Call


class _Rows:
    """The message that there are rows in the spool again."""


class _Close:
    """The message to end when all is written."""


class Writer:
    """Owns `log` and `spool` from now on; its thread alone touches the log, and closes both at the end.

    `post` runs a function on the caller's thread (an event loop's `call_soon_threadsafe`). All methods
    are for that one thread. `linger` is how many seconds decisions may wait for company; `patience`,
    how many an event or a call may wait for a database that is away.
    """

    def __init__(
        self,
        log: Log,
        spool: Spool,
        post: Callable[[Callable[[], None]], object],
        *,
        linger: float = 0.05,
        patience: float = 5.0,
        clock: Clock = time.monotonic,
    ) -> None:
        self._log = log
        self._spool = spool
        self._post = post
        self._linger = linger
        self._patience = patience
        self._clock = clock
        self._inbox: SimpleQueue[_Work | _Rows | _Close] = SimpleQueue()
        self._told = False  # that there are rows
        self._closed = False  # to the caller
        self._closing = False  # to the thread
        self._waiting: list[_Work] = []
        self._due: float | None = None  # when to look into the spool
        self._failures = 0
        self._thread = Thread(target=self._run, name="feedback-writer", daemon=True)
        self._thread.start()

    def record(self, row: Row) -> None:
        """Spool a decision: it survives the death of this process. Raises StoreUnavailable if the disk is full."""
        self._spool.append(row)
        if not self._told:
            self._told = True
            self._inbox.put(_Rows())

    def append(self, pending: Pending, done: Callable[[Outcome | WindjammerError], None]) -> None:
        """Append an event once everything recorded so far is committed; `done` gets the outcome after the commit.

        Outcomes come in the order of their positions. An event that cannot be committed within
        `patience` gets StoreUnavailable and is not written later.
        """
        self._enqueue(_Append(pending, done, self._spool.tail, self._clock() + self._patience))

    def call(self, read: Callable[[Log], T], done: Callable[[T | WindjammerError], None]) -> None:
        """Run `read` on the writer's thread once everything recorded and appended so far is committed."""
        self._enqueue(_Call(read, done, self._spool.tail, self._clock() + self._patience))

    def close(self, timeout: float = 10.0) -> bool:
        """Write what waits and end; True if that took less than `timeout` seconds.

        While the database is away decisions stay in the spool, for the next start, and events are refused.
        """
        self._closed = True
        self._inbox.put(_Close())
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _enqueue(self, work: _Work) -> None:
        if self._closed:
            self._post(partial(work.done, StoreUnavailable("the store is closed")))
        elif self._inbox.qsize() + len(self._waiting) >= MOST_WAITING:
            self._post(partial(work.done, StoreUnavailable("too much waits for the database")))
        else:
            self._inbox.put(work)

    # What follows runs on the writer's thread.

    def _run(self) -> None:
        try:
            while self._collect():
                self._step()
        finally:
            self._log.close()
            self._spool.close()

    def _collect(self) -> bool:
        """Wait until there is something to do, and take all that is there; False when no more is to come."""
        while (pause := self._pause()) is None or pause > 0:
            self._take(pause)
        while len(self._waiting) < GROUP_EVENTS and self._take(0):
            pass
        return not self._closing or bool(self._waiting) or self._due is not None

    def _pause(self) -> float | None:
        """Seconds until the next step; None: until a message comes."""
        if self._closing or (self._waiting and not self._failures):
            return 0
        return None if self._due is None else max(0, self._due - self._clock())

    def _take(self, pause: float | None) -> bool:
        try:
            message = self._inbox.get(timeout=pause)
        except Empty:
            return False
        match message:
            case _Rows():
                self._due = self._clock() + self._linger if self._due is None else self._due
            case _Close():
                self._closing, self._due = True, 0
            case _:
                self._waiting.append(message)
        return True

    def _step(self) -> None:
        """Commit the oldest rows, with the work for which they are enough."""
        # In this order: a row that is recorded from here on is read below, or told of again.
        self._told, self._due = False, None
        ready: list[_Work] = []
        try:
            rows, mark = self._spool.read(GROUP_ROWS)
            ready += takewhile(lambda work: work.after <= mark, self._waiting)
            replies = self._commit(rows, ready)
            self._spool.forget(mark)
        except Exception as error:  # whatever happened, the rows are in the spool, and the thread goes on
            self._put_off(error, ready)
            return
        self._failures = 0
        self._due = 0 if len(rows) == GROUP_ROWS else None
        del self._waiting[: len(ready)]
        self._deliver(replies)
        for work in ready:
            if isinstance(work, _Call):
                self._deliver([(work.done, self._result(work.read))])

    def _commit(self, rows: Sequence[Row], ready: Sequence[_Work]) -> list[tuple[Done, object]]:
        appends = [work for work in ready if isinstance(work, _Append)]
        if not rows and not appends:
            return []
        outcomes = commit_group(self._log, rows, [work.pending for work in appends])
        return [(work.done, self._settled(work, o)) for work, o in zip(appends, outcomes, strict=True)]

    def _settled(self, work: _Append, outcome: Outcome | WindjammerError) -> Outcome | WindjammerError:
        """If the connection was lost while committing, the event may be there already: it is applied, no duplicate."""
        if work.tried and isinstance(outcome, Duplicate):
            entry = next(iter(self._log.entries(work.pending.application, outcome.position - 1)))
            if (entry.at, entry.event) == (work.pending.at, work.pending.event):
                return Applied(entry)
        return outcome

    def _result(self, read: Callable[[Log], Any]) -> object:
        try:
            return read(self._log)
        except WindjammerError as error:
            return error
        except Exception:
            logger.exception("a read of the log failed")
            return StoreUnavailable("the log could not be read")

    def _put_off(self, error: Exception, ready: Sequence[_Work]) -> None:
        """The group could not be committed: refuse whom it took too long, and repeat after a pause."""
        if not self._failures or not isinstance(error, StoreUnavailable):
            logger.warning("decisions wait on disk until the database is back: %s", error, exc_info=error)
        for work in ready:
            if isinstance(work, _Append):
                work.tried = True
        now = self._clock()
        refused = [work for work in self._waiting if self._closing or work.deadline <= now]
        del self._waiting[: len(refused)]
        self._deliver([(work.done, StoreUnavailable("the database is away")) for work in refused])
        self._due = None if self._closing else now + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures, 10))
        self._failures += 1

    def _deliver(self, replies: Sequence[tuple[Done, object]]) -> None:
        if not replies:
            return
        try:
            self._post(partial(_reply, replies))
        except RuntimeError:
            logger.warning("%d outcomes came after the event loop had been closed", len(replies))


def _reply(replies: Sequence[tuple[Done, object]]) -> None:
    for done, value in replies:
        try:
            done(value)
        except Exception:
            logger.exception("whoever waited for the store failed")
