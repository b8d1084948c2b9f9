"""The queue before one model version: earliest deadline first, bounded, one shape to a batch. No I/O, no clock."""

from __future__ import annotations

from bisect import bisect_right, insort_right

from msgspec import Struct

from serving.errors import ModelFailed, Overloaded
from serving.values import Input, Waiter

Kind = tuple[str, tuple[int, ...], int]
"""What the inputs of one batch have in common: datatype, shape, and the most of them that a batch may hold."""


class Expired(ModelFailed):
    """The deadline passed before a model could take the work."""


class Work(Struct, gc=False):
    """One input that waits for a model. `deadline` is in seconds of the caller's clock.

    `tried`: it was in flight when a worker died. `company`: the most rows that its batch may hold
    (0: any number), less than it was in once a batch that held it failed as a whole.
    """

    input: Input
    deadline: float
    waiter: Waiter
    tried: bool = False
    company: int = 0


class Queue:
    """Work by deadline, first come first served among equals; at most `bound` waiting.

    One lane for each kind of input, since a batch never mixes them; the lane with the earliest
    deadline goes first, so none starves. A lane is two sorted lists, not a heap: work that comes in
    order (the usual case) is appended, a batch is a slice, and the place of a deadline is a bisection.

    Whoever measures the model keeps the estimates up to date: `ready`, when what is in flight will be done;
    `pace`, the seconds that each row ahead costs; `service`, those of a batch. All 0 at the start: only the bound
    refuses. `room` is what the next batches can hold: that many may wait whatever the estimates say, so
    that batches fill, and what they take shows whether the estimates still hold.
    """

    __slots__ = ("_bound", "_lanes", "pace", "ready", "room", "service", "waiting")

    def __init__(self, bound: int) -> None:
        self.waiting = 0
        self.ready = 0.0
        self.pace = 0.0
        self.service = 0.0
        self.room = 1
        self._bound = bound
        self._lanes: dict[Kind, _Lane] = {}

    def put(self, work: Work, now: float) -> None:
        """Let work wait. Raises Overloaded if the queue is full, or if what goes before leaves it no time."""
        waiting = self.waiting
        if waiting >= self._bound:
            raise Overloaded(f"{waiting} queries wait, and no more may")
        if waiting >= self.room and self._answer_at(waiting, now) > work.deadline:
            self._refuse(work.deadline, now)
        self.add(work)

    def add(self, work: Work) -> None:
        """Let work wait, whatever the bound and the estimates."""
        kind = (work.input.datatype, work.input.shape, work.company)
        lane = self._lanes.get(kind)
        if lane is None:
            lane = self._lanes[kind] = _Lane(kind)
        lane.add(work)
        self.waiting += 1

    def take(self, limit: int, now: float) -> tuple[list[Work], list[Work]]:
        """The next batch, of at most `limit` rows, and the work whose deadline has passed: both leave the queue."""
        expired = self.expire(now)
        lanes = self._lanes
        if not lanes:
            return [], expired
        lane = min(lanes.values(), key=_earliest)
        return self._cut(lane, min(limit, lane.kind[2] or limit)), expired

    def expire(self, now: float) -> list[Work]:
        """The work whose deadline has passed: it leaves the queue."""
        late = [lane for lane in self._lanes.values() if lane.deadlines[0] <= now]
        return [work for lane in late for work in self._cut(lane, lane.ahead(now))]

    def _cut(self, lane: _Lane, rows: int) -> list[Work]:
        works = lane.cut(rows)
        self.waiting -= len(works)
        if not lane.works:
            del self._lanes[lane.kind]
        return works

    def turn_at(self, now: float) -> float:
        """When work that is put now should be taken."""
        return max(now, self.ready) + self.waiting * self.pace

    def _answer_at(self, ahead: int, now: float) -> float:
        return max(now, self.ready) + ahead * self.pace + self.service

    def _refuse(self, deadline: float, now: float) -> None:
        """Raise, unless enough of what waits has a later deadline."""
        ahead = sum([lane.ahead(deadline) for lane in self._lanes.values()])
        answer_at = self._answer_at(ahead, now)
        if ahead >= self.room and answer_at > deadline:
            wait, left = (answer_at - now) * 1e3, (deadline - now) * 1e3
            raise Overloaded(f"an answer would take about {wait:.0f} ms, {left:.0f} ms are left")


class _Lane:
    """Work of one kind in order; `deadlines[i]` is that of `works[i]`. Never left empty in the queue."""

    __slots__ = ("deadlines", "kind", "works")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.deadlines: list[float] = []
        self.works: list[Work] = []

    def add(self, work: Work) -> None:
        """Put work behind all that has no later deadline."""
        deadlines = self.deadlines
        if not deadlines or work.deadline >= deadlines[-1]:
            deadlines.append(work.deadline)
            self.works.append(work)
        else:
            self.works.insert(self.ahead(work.deadline), work)
            insort_right(deadlines, work.deadline)

    def ahead(self, deadline: float) -> int:
        """How many have a deadline no later than this."""
        return bisect_right(self.deadlines, deadline)

    def cut(self, rows: int) -> list[Work]:
        """Remove the first `rows`."""
        works = self.works
        if rows >= len(works):
            self.works, self.deadlines = [], []
            return works
        first = works[:rows]
        del works[:rows]
        del self.deadlines[:rows]
        return first


def _earliest(lane: _Lane) -> float:
    return lane.deadlines[0]
