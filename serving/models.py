"""One deployed model version: the queue before its replicas, and what becomes of their batches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from selector.decisions import Prediction
from selector.errors import WindjammerError
from serving.batching.controllers import AIMD
from serving.batching.counters import Counters
from serving.batching.flights import AHEAD, Flights, Replica
from serving.batching.queue import Expired, Queue, Work
from serving.config import ModelConfig
from serving.errors import ModelFailed, Overloaded
from serving.values import Input, Waiter

logger = logging.getLogger(__name__)

BROKEN_AFTER = 16
"""Batches that fail as a whole, one after the other, until the model and not a row is taken to be at fault."""


class Model:
    """Takes work for one model version and hands it in batches to the replicas; listens to them (a Listener).

    Idle replicas pull: whatever is asked in one turn of the loop leaves together, and whatever is asked
    while all are busy waits for the first that is not. `objective` is in seconds, from asking to the answer. A query
    waits for a batch in service (after a short one, sent ahead: AHEAD of the objective) before its own: each replica's
    controller is held to half of what is left. `clock` gives seconds; `call_soon` is that of the loop. One thread.

    `available` is whether a replica is up; `cost` what a query takes where predictions do not report it.
    """

    def __init__(
        self,
        config: ModelConfig,
        objective: float,
        clock: Callable[[], float],
        call_soon: Callable[[Callable[[], None]], object],
    ) -> None:
        self.key = config.key
        self.version = config.version
        self.cost = config.cost
        self.available = False
        self.counters = Counters()
        self._objective = objective
        self._clock = clock
        self._call_soon = call_soon
        self._queue = Queue(config.queue)
        self._replicas: dict[Replica, Flights] = {}
        self._watchers: list[Callable[[str], None]] = []
        self._dispatching = False
        self._outdated = True
        self._failed_in_a_row = 0

    @property
    def waiting(self) -> int:
        """The work in the queue."""
        return self._queue.waiting

    @property
    def latency(self) -> float:
        """Seconds that an answer should take: what waits goes first, then comes a batch. 0 while nobody knows."""
        replicas = self._replicas.values()
        trips = [flights.trip.mean for flights in replicas if flights.trip.mean]
        return min(trips) + self._queue.waiting / sum([flights.rate for flights in replicas]) if trips else 0.0

    @property
    def limits(self) -> dict[str, int]:
        """The most rows of a batch now, for each replica by name."""
        return {replica.name: flights.controller.limit for replica, flights in self._replicas.items()}

    def watch(self, changed: Callable[[str], None]) -> None:
        """Call `changed` with this model's key whenever a replica is lost, before its work is tried again."""
        self._watchers.append(changed)

    def ask(self, input: Input, deadline: float, waiter: Waiter) -> None:
        """Ask for a prediction by `deadline`; a late one is delivered too. The waiter may hear of a failure at once."""
        now = self._clock()
        if not self.available:
            self._expire(self._queue.expire(now))
            self._fail(waiter, ModelFailed(f"{self.key}: no worker is up"))
            return
        try:
            self._put(Work(input, deadline, waiter), now)
        except Overloaded as error:
            self.counters.refused += 1
            self._tell(waiter, Overloaded(f"{self.key}: {error}"))
            return
        if not self._dispatching:
            self._dispatching = True
            self._call_soon(self._dispatch)

    def answer_at(self) -> float:
        """When an answer should be there that is asked for now, in seconds of the clock; not later, where unknown."""
        if self._outdated:
            self._estimate()
        usual = min([flights.usual for flights in self._replicas.values()], default=0.0)
        return self._queue.turn_at(self._clock()) + usual

    def joined(self, replica: Replica) -> None:
        """A replica is ready: it takes what waits, and starts to learn its batch size."""
        ahead = self._objective * AHEAD
        self._replicas[replica] = Flights(replica, AIMD((self._objective - ahead) / 2), ahead)
        self.available = True
        self._dispatch()

    def told(self, replica: Replica, batch: int, predictions: Sequence[Prediction | ModelFailed]) -> None:
        """A batch is done: the replica gets the next one before anybody hears of this one."""
        flights = self._replicas[replica]
        flight, seconds = flights.land(batch, self._clock())
        self.counters.seconds += seconds
        error = _error_of_all(predictions)
        if error is None:
            self._failed_in_a_row = 0
            flights.learn(flight, seconds)
        else:
            self._failed_in_a_row += 1
            if len(flight.works) > 1 and self._failed_in_a_row < BROKEN_AFTER:
                self._halve(flight.works, error)
                return
        while self._queue.waiting and flights.idle:
            self._pull(flights)
        self._outdated = True
        self._deliver(flight.works, predictions)

    def left(self, replica: Replica, reason: str) -> None:
        """A replica is gone: what it had goes to another, or to its successor, unless that has been tried before."""
        flights = self._replicas.pop(replica, None)
        if flights is None:
            return
        self.available = bool(self._replicas)
        for changed in self._watchers:
            changed(self.key)
        error = ModelFailed(f"{self.key}: {reason}")
        again: list[Work] = []
        for work in flights.works():
            if work.tried:
                self._fail(work.waiter, error)
            else:
                work.tried = True
                again.append(work)
        self._try_again(again, error)

    def _put(self, work: Work, now: float) -> None:
        queue = self._queue
        if not queue.waiting and not any(self._replicas.values()):
            queue.add(work)  # nothing is ahead of it, so no estimate can refuse for ever
            return
        if self._outdated:
            self._estimate()
        queue.put(work, now)

    def _dispatch(self) -> None:
        """Let replicas pull, those with the fewest batches in flight first."""
        self._dispatching = False
        while self._queue.waiting:
            idle = [flights for flights in self._replicas.values() if flights.idle]
            if not idle:
                break
            self._pull(min(idle, key=len))
        self._outdated = True

    def _pull(self, flights: Flights) -> None:
        now = self._clock()
        works, expired = self._queue.take(flights.controller.limit, now)
        if works:
            self._send(flights, works, now)
        if expired:
            self._expire(expired)

    def _send(self, flights: Flights, works: list[Work], now: float) -> None:
        self.counters.sent(len(works))
        try:
            flights.send(self.counters.batches, works, now)
        except WindjammerError as error:
            failure = ModelFailed(f"{self.key}: {error}")
            if len(works) > 1:
                self._halve(works, failure)
            else:
                self._fail(works[0].waiter, failure)

    def _estimate(self) -> None:
        """Tell the queue how long work takes now."""
        self._outdated = False
        queue, replicas = self._queue, self._replicas.values()
        if not replicas:
            return
        queue.ready = min([flights.done_at for flights in replicas])
        queue.pace = 1 / sum([flights.rate for flights in replicas])
        queue.service = min([flights.full.most for flights in replicas])
        queue.room = sum([flights.room for flights in replicas])

    def _deliver(self, works: list[Work], predictions: Sequence[Prediction | ModelFailed]) -> None:
        key = self.key
        for work, prediction in zip(works, predictions, strict=True):
            if isinstance(prediction, ModelFailed):
                self._fail(work.waiter, prediction)
                continue
            try:
                work.waiter.arrived(key, prediction)
            except Exception:  # its siblings are still to hear of theirs
                logger.exception("%s: a waiter raised", key)

    def _halve(self, works: list[Work], error: ModelFailed) -> None:
        """One row may have spoilt the batch: try again in halves, down to single rows, so that it fails alone."""
        company = (len(works) + 1) // 2
        for work in works:
            work.company = company
        self._try_again(works, error)

    def _try_again(self, works: list[Work], error: ModelFailed) -> None:
        """Put work back into the queue; what has no time left fails, as Expired, with the error that it met."""
        now = self._clock()
        late = [work for work in works if work.deadline <= now]
        for work in works:
            if work.deadline > now:
                self.counters.retried += 1
                self._queue.add(work)
        self._dispatch()
        for work in late:
            self._fail(work.waiter, Expired(str(error)))

    def _expire(self, works: Iterable[Work]) -> None:
        for work in works:
            self.counters.expired += 1
            self._tell(work.waiter, Expired(f"{self.key}: the deadline passed in the queue"))

    def _fail(self, waiter: Waiter, error: ModelFailed) -> None:
        self.counters.failed += 1
        self._tell(waiter, error)

    def _tell(self, waiter: Waiter, error: WindjammerError) -> None:
        try:
            waiter.failed(self.key, error)
        except Exception:  # others are still to hear of theirs
            logger.exception("%s: a waiter raised", self.key)


def _error_of_all(predictions: Sequence[Prediction | ModelFailed]) -> ModelFailed | None:
    """The error that a batch met as a whole: one object that stands for every row."""
    first = predictions[0]
    if isinstance(first, ModelFailed) and all(prediction is first for prediction in predictions):
        return first
    return None
