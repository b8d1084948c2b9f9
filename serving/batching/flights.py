"""The batches in flight at one replica, how long it serves them, and how fast it is."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Protocol

from msgspec import Struct

from selector.decisions import Prediction
from serving.batching.controllers import Controller
from serving.batching.queue import Work
from serving.batching.service_time import ServiceTime
from serving.errors import ModelFailed
from serving.values import Input

DEPTH = 2
"""Batches in flight at a replica at most, so that copying one and computing another overlap."""

AHEAD = 0.1
"""Share of the objective that a replica's batches may take and still have the next one sent ahead of its turn."""


class Replica(Protocol):
    """One worker process, as the front end sees it. Tells its listener what becomes of each batch."""

    name: str

    def send(self, batch: int, inputs: Sequence[Input]) -> None:
        """Send a batch; inputs share datatype and shape. A broken connection is told as `left`.

        Raises WindjammerError if the batch is too large to be sent.
        """


class Listener(Protocol):
    """Whoever deploys replicas of a model; called on the loop's thread."""

    def joined(self, replica: Replica) -> None:
        """A replica is ready."""

    def told(self, replica: Replica, batch: int, predictions: Sequence[Prediction | ModelFailed]) -> None:
        """A batch is done: one prediction or error for each input, in order.

        If the batch failed as a whole, the same error object stands for every input.
        """

    def left(self, replica: Replica, reason: str) -> None:
        """A replica is gone; its batches will not be told."""


class Flight(Struct, gc=False):
    """A batch on its way; `limit` is what its size was limited to."""

    works: list[Work]
    sent: float
    limit: int


class Flights:
    """The batches in flight at one replica, oldest first. Times in seconds of the caller's clock.

    A batch is sent ahead, behind another one, only while batches take less than `ahead`: long ones gain
    nothing by it, and queries would wait for two of them. `full` is the service time of batches as large as the limit:
    0 while the limit grows for the first time, since nobody knows then how fast the replica can be. `trip` is from
    sending a batch to its answer, so it counts the wait for the batch before.
    """

    __slots__ = (
        "_any",
        "_at_its_best",
        "_flying",
        "_free_since",
        "_row",
        "ahead",
        "controller",
        "full",
        "replica",
        "rows",
        "trip",
    )

    def __init__(self, replica: Replica, controller: Controller, ahead: float) -> None:
        self.replica = replica
        self.controller = controller
        self.ahead = ahead
        self.full = ServiceTime()
        self.trip = ServiceTime()
        self.rows = 0
        self._any = ServiceTime()
        self._row = ServiceTime()
        self._flying: dict[int, Flight] = {}
        self._free_since = 0.0
        self._at_its_best = False

    def __len__(self) -> int:
        return len(self._flying)

    @property
    def idle(self) -> bool:
        """Whether the replica should have another batch."""
        flying = len(self._flying)
        return not flying or (flying < DEPTH and self._any.mean < self.ahead)

    @property
    def usual(self) -> float:
        """The mean service time of batches, in seconds; 0 before the first."""
        return self._any.mean

    @property
    def rate(self) -> float:
        """Rows a second in full batches, infinite while unknown."""
        return 1 / self._row.mean if self._row.mean else inf

    @property
    def done_at(self) -> float:
        """When all that is in flight should be done; in the past if that is nothing."""
        for oldest in self._flying.values():
            return max(oldest.sent, self._free_since) + self.rows / self.rate
        return self._free_since

    @property
    def room(self) -> int:
        """The rows that its next batch can hold; none if one row takes too long and another is in flight."""
        limit = self.controller.limit
        return 0 if limit == 1 and self._flying and self._at_its_best else limit

    def send(self, batch: int, works: list[Work], now: float) -> None:
        """Send a batch to the replica. Raises WindjammerError if it is too large; then it is not in flight."""
        self.replica.send(batch, [work.input for work in works])
        self._flying[batch] = Flight(works, now, self.controller.limit)
        self.rows += len(works)

    def land(self, batch: int, now: float) -> tuple[Flight, float]:
        """The batch that is done, and its service time: since it was sent, or the batch before it was done."""
        flight = self._flying.pop(batch)
        self.rows -= len(flight.works)
        seconds = now - max(flight.sent, self._free_since)
        self._free_since = now
        self._any.add(seconds)
        self.trip.add(now - flight.sent)
        return flight, seconds

    def learn(self, flight: Flight, seconds: float) -> None:
        """Adapt the limit and the estimates to a batch that was answered."""
        size = len(flight.works)
        full = size >= flight.limit
        before = self.controller.limit
        self.controller.served(size, seconds)
        self._at_its_best = self._at_its_best or (full and self.controller.limit <= before)
        if self._at_its_best and full:
            self._row.add(seconds / size)
        if self._at_its_best and (full or seconds > self.full.mean):
            self.full.add(seconds)

    def works(self) -> list[Work]:
        """All work in flight, for when the replica is gone."""
        return [work for flight in self._flying.values() for work in flight.works]
