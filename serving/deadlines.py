"""One timer for all deadlines: armed for the earliest, whoever was answered in time is skipped."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Protocol

ROOM = 256
"""Entries that are always kept until their time: fewer are not worth looking through."""


class Expiring(Protocol):
    """Something with a deadline."""

    finished: bool

    def expire(self) -> None:
        """The deadline has come."""


class Timer(Protocol):
    """What `call_later` of an event loop returns."""

    def cancel(self) -> None:
        """Do not fire."""


CallLater = Callable[[float, Callable[[], None]], Timer]


class Deadlines:
    """Calls `expire` on what has not finished by its deadline (seconds of `clock`)."""

    def __init__(self, clock: Callable[[], float], call_later: CallLater) -> None:
        self._clock = clock
        self._call_later = call_later
        self._heap: list[tuple[float, int, Expiring]] = []
        self._order = count()
        self._room = ROOM
        self._armed_for = float("inf")
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, deadline: float, expiring: Expiring) -> None:
        """Watch `expiring` until it is finished or `deadline` has come."""
        if len(self._heap) >= self._room:
            self._let_go()
        heappush(self._heap, (deadline, next(self._order), expiring))
        if deadline < self._armed_for:
            self._arm(deadline)

    def close(self) -> None:
        """Watch nothing any longer."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _let_go(self) -> None:
        """Free what has finished before its time; each entry that is looked at has been paid for by one added."""
        self._heap = [entry for entry in self._heap if not entry[2].finished]
        heapify(self._heap)
        self._room = max(ROOM, 2 * len(self._heap))

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = deadline
        self._timer = self._call_later(max(0.0, deadline - self._clock()), self._fire)

    def _fire(self) -> None:
        self._armed_for, self._timer = float("inf"), None
        now = self._clock()
        while (heap := self._heap) and (heap[0][2].finished or heap[0][0] <= now):
            expiring = heappop(heap)[2]
            if not expiring.finished:
                expiring.expire()
        if heap and heap[0][0] < self._armed_for:
            self._arm(heap[0][0])
