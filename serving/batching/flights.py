"""The batches in flight at one replica, how long it serves them, and how fast it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from selector.decisions import Prediction
from serving.batching.controllers import Controller
from serving.batching.queue import Work
from serving.errors import ModelFailed
from serving.values import Input

DEPTH = 2
"""Batches in flight at a replica at most, so that copying one and computing another overlap."""

SMOOTHING = 0.2
"""Weight of the last batch in the smoothed service time."""


class Replica(Protocol):
    """One worker process, as the front end sees it. Tells its listener what becomes of each batch."""

    name: str

    def send(self, batch: int, inputs: Sequence[Input]) -> None:
        """Send a batch; inputs share datatype and shape. Never raises: a broken connection is told as `left`."""


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

    `seconds` is the smoothed service time of batches that used all of the limit, 0 as long as the
    limit still grows for the first time: until then nobody knows how fast the replica can be.
    """

    __slots__ = ("_at_its_best", "_flying", "_free_since", "controller", "replica", "rows", "seconds")

    def __init__(self, replica: Replica, controller: Controller) -> None:
        self.replica = replica
        self.controller = controller
        self.rows = 0
        self.seconds = 0.0
        self._flying: dict[int, Flight] = {}
        self._free_since = 0.0
        self._at_its_best = False

    def __len__(self) -> int:
        return len(self._flying)

    @property
    def rate(self) -> float:
        """Rows a second of full batches; infinite while that is unknown."""
        return self.controller.limit / self.seconds if self.seconds else float("inf")

    def send(self, batch: int, works: list[Work], now: float) -> None:
        """Send a batch to the replica."""
        self._flying[batch] = Flight(works, now, self.controller.limit)
        self.rows += len(works)
        self.replica.send(batch, [work.input for work in works])

    def land(self, batch: int, now: float) -> tuple[Flight, float]:
        """The batch that is done, and its service time: since it was sent, or the batch before it was done."""
        flight = self._flying.pop(batch)
        self.rows -= len(flight.works)
        seconds = now - max(flight.sent, self._free_since)
        self._free_since = now
        return flight, seconds

    def learn(self, flight: Flight, seconds: float) -> None:
        """Adapt the limit and the smoothed service time to a batch that was answered."""
        size = len(flight.works)
        full = size >= flight.limit
        before = self.controller.limit
        self.controller.served(size, seconds)
        self._at_its_best = self._at_its_best or (full and self.controller.limit <= before)
        if self._at_its_best and (full or seconds > self.seconds):
            self.seconds += (seconds - self.seconds) * (SMOOTHING if self.seconds else 1.0)

    def works(self) -> list[Work]:
        """All work in flight, for when the replica is gone."""
        return [work for flight in self._flying.values() for work in flight.works]
