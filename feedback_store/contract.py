"""What every store of decisions and events promises. Synchronous; a store is used by one thread at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from selector.decisions import Decision, Entry, Event, Feedback
from selector.errors import WindjammerError


class StoreUnavailable(WindjammerError):
    """The database cannot be reached or written; what was acknowledged is safe, and the call may be repeated."""

    status = 503
    phrase = "Store unavailable"


class Unstorable(WindjammerError):
    """A text that the database cannot hold (PostgreSQL: one with a NUL character). Repeating does not help."""

    status = 400
    phrase = "Cannot be stored"


class Row(Struct, frozen=True, array_like=True, gc=False):
    """A decision as it is spooled and stored: `payload` is `selector.decisions.encode(decision)`.

    `query` is the 63-bit query id, unique over all applications and never used for another decision.
    `client` is the id that the client gave, if any.
    `input` is what was asked, where that is to be kept; its encoding is the caller's.
    """

    query: int
    application: str
    user: str | None
    client: str | None
    payload: bytes
    input: bytes | None = None


class Pending(Struct, frozen=True):
    """An event that is to be appended. `at` is in seconds since the epoch."""

    application: str
    user: str | None
    at: float
    event: Event


class Applied(Struct, frozen=True):
    """The event is in the log; `entry` is what the fold reads."""

    entry: Entry


class Duplicate(Struct, frozen=True):
    """The same feedback stands at `position` already; nothing was written."""

    position: int


class Conflict(Struct, frozen=True):
    """Other feedback about the query stands at `position` already; nothing was written."""

    position: int
    feedback: Feedback


class UnknownQuery(Struct, frozen=True):
    """The application has no decision of that id; nothing was written."""

    query: int


Outcome = Applied | Duplicate | Conflict | UnknownQuery


class Snapshot(Struct, frozen=True):
    """A learner's encoded state at a position. `user` is None for the population's.

    `policy` identifies the fold: policy and loss with their settings. Another fold does not find it.
    """

    application: str
    user: str | None
    policy: str
    position: int
    data: bytes


class Log(Protocol):
    """The decisions, and the events with their positions in commit order."""

    def commit(self, rows: Sequence[Row], pending: Sequence[Pending]) -> list[Outcome]:
        """Write all in one transaction: durable (fsynced) on return if there was an event, else at the next one.

        Rows whose query id is there already are ignored, so a spool may be replayed. A second row of
        one application with the same client id is kept, without that id: the first keeps it.
        Events get positions 1, 2, 3, ... over all applications, in commit order, without gaps.
        Feedback joins each of its queries once: the same feedback again (label, reward and queries
        equal; `joined` is not compared) is a Duplicate, any other a Conflict, also within one call.
        Feedback about several decisions is judged by the first of its queries that is unknown, else
        by the first that has feedback.
        Raises StoreUnavailable or Unstorable; then nothing was written, unless the connection was
        lost in the very act of committing.
        """

    def decision(self, application: str, query: int) -> Decision | None:
        """The decision of that id in this application."""

    def input(self, application: str, query: int) -> bytes | None:
        """The input that was kept with that decision."""

    def query_of(self, application: str, client: str) -> int | None:
        """The query id of the decision with that client id."""

    def entries(self, application: str, after: int = 0, user: str | None = None) -> Iterable[Entry]:
        """Entries at positions greater than `after`, in order, read in chunks: memory does not grow with the log.

        With `user`: that user's, and those about the application (whose own user is None and which
        are not feedback): what the fold of one user reads.
        """

    def judged(self, application: str) -> Iterable[tuple[Decision, Feedback]]:
        """The decisions that have feedback, with it, in the order of their query ids, read in chunks."""

    def announcement(self, application: str) -> Entry | None:
        """The last PolicyChanged of this application."""

    def head(self) -> int:
        """The position of the last event, 0 if there is none."""

    def last_query(self) -> int:
        """The greatest query id stored, 0 if there is none."""

    def save(self, snapshots: Sequence[Snapshot]) -> None:
        """Keep each as the newest of its (application, user, policy); an older position never replaces a newer one."""

    def snapshot(self, application: str, user: str | None, policy: str) -> Snapshot | None:
        """The newest snapshot of that fold."""

    def close(self) -> None:
        """Release the connection; further calls are errors."""
