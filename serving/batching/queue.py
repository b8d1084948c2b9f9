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

    Whoever measures the model keeps two estimates up to date, in seconds: `pace`, the time that each row ahead
    costs, and `lag`, from leaving the queue at once to the answer. Both 0, as at the start: nothing is refused
    but for the bound.
    """

    __slots__ = ("_bound", "_lanes", "lag", "pace", "waiting")

    def __init__(self, bound: int) -> None:
        self.pace = 0.0
        self.lag = 0.0
        self._bound = bound
        self.waiting = 0
        self._lanes: dict[Kind, _Lane] = {}

    def put(self, work: Work, now: float) -> None:
        """Let work wait. Raises Overloaded if the queue is full, or if the work ahead leaves it no time."""
        waiting = self.waiting
        if waiting and (waiting >= self._bound or now + self.lag + waiting * self.pace > work.deadline):
            self._refuse(work.deadline, now)
        self.put_back(work)

    def put_back(self, work: Work) -> None:
        """Let work wait that had been admitted before, whatever the bound."""
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

    def _refuse(self, deadline: float, now: float) -> None:
        """Raise, unless enough of what waits has a later deadline."""
        if self.waiting >= self._bound:
            raise Overloaded(f"{self.waiting} queries wait, and no more may")
        ahead = sum([lane.ahead(deadline) for lane in self._lanes.values()])
        wait = self.lag + ahead * self.pace
        if ahead and now + wait > deadline:
            raise Overloaded(
                f"an answer would take about {wait * 1e3:.0f} ms, {(deadline - now) * 1e3:.0f} ms are left"
            )


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
