"""The queue: earliest deadline first, one kind of input to a batch, refusal at the door."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from serving.batching.queue import Queue, Work
from serving.errors import Overloaded
from tests.serving.batching.fakes import Waiter, number


def work(deadline: float, shape: tuple[int, ...] = (1,), company: int = 0) -> Work:
    return Work(number(0, shape), deadline, Waiter(), company=company)


def deadlines(works: list[Work]) -> list[float]:
    return [work.deadline for work in works]


def test_the_earliest_deadline_goes_first_and_equals_in_order_of_arrival() -> None:
    queue = Queue(10)
    works = [work(deadline) for deadline in (5.0, 3.0, 5.0, 4.0, 3.0)]
    for each in works:
        queue.put(each, now=0.0)
    batch, _ = queue.take(10, now=0.0)
    assert [works.index(each) for each in batch] == [1, 4, 3, 0, 2]
    assert all(each is works[works.index(each)] for each in batch)


def test_a_batch_holds_no_more_than_the_limit() -> None:
    queue = Queue(10)
    for deadline in (1.0, 2.0, 3.0):
        queue.put(work(deadline), now=0.0)
    assert deadlines(queue.take(2, now=0.0)[0]) == [1.0, 2.0]
    assert deadlines(queue.take(2, now=0.0)[0]) == [3.0]
    assert queue.take(2, now=0.0) == ([], [])


def test_a_batch_has_one_shape_and_the_earliest_deadline_says_which() -> None:
    queue = Queue(10)
    for deadline, shape in ((2.0, (1,)), (1.0, (2,)), (3.0, (2,)), (4.0, (1,))):
        queue.put(work(deadline, shape), now=0.0)
    assert deadlines(queue.take(10, now=0.0)[0]) == [1.0, 3.0]
    assert deadlines(queue.take(10, now=0.0)[0]) == [2.0, 4.0]


def test_a_stream_of_one_shape_does_not_starve_another() -> None:
    queue = Queue(10)
    queue.put(work(1.0, (2,)), now=0.0)
    taken = []
    for step in range(20):
        queue.put(work(0.9 + step / 10, (1,)), now=0.0)
        taken += deadlines(queue.take(1, now=0.0)[0])
    assert 1.0 in taken[:3]


def test_expired_work_comes_out_apart_from_the_batch() -> None:
    queue = Queue(10)
    for deadline in (1.0, 2.0, 3.0):
        queue.put(work(deadline), now=0.0)
    batch, expired = queue.take(10, now=2.0)
    assert deadlines(batch) == [3.0]
    assert deadlines(expired) == [1.0, 2.0]
    assert queue.waiting == 0


def test_a_full_queue_refuses() -> None:
    queue = Queue(2)
    queue.put(work(1.0), now=0.0)
    queue.put(work(1.0), now=0.0)
    with pytest.raises(Overloaded, match="2 queries wait"):
        queue.put(work(1.0), now=0.0)


def test_work_that_was_admitted_before_enters_a_full_queue() -> None:
    queue = Queue(1)
    queue.put(work(1.0), now=0.0)
    queue.add(work(0.5))
    assert deadlines(queue.take(10, now=0.0)[0]) == [0.5, 1.0]


def estimated(ready: float, pace: float, service: float, room: int) -> Queue:
    queue = Queue(100)
    queue.ready, queue.pace, queue.service, queue.room = ready, pace, service, room
    return queue


def test_work_that_cannot_make_it_is_refused_at_the_door() -> None:
    queue = estimated(ready=10.25, pace=0.125, service=0.125, room=0)
    for _ in range(5):
        queue.put(work(11.0), now=10.0)
    queue.put(work(11.0), now=10.0)  # answered at 11.0 by the estimates, just in time
    with pytest.raises(Overloaded, match="about 1125 ms, 1000 ms are left"):
        queue.put(work(11.0), now=10.0)


def test_what_was_in_flight_is_past_once_it_is_done() -> None:
    queue = estimated(ready=10.25, pace=0.0, service=0.125, room=0)
    with pytest.raises(Overloaded):
        queue.put(work(10.25), now=10.0)
    queue.put(work(11.125), now=11.0)


def test_only_what_goes_first_counts_as_ahead() -> None:
    queue = estimated(ready=0.0, pace=0.125, service=0.125, room=1)
    for _ in range(50):
        queue.put(work(60.0), now=0.0)
    queue.put(work(0.5), now=0.0)
    assert deadlines(queue.take(1, now=0.0)[0]) == [0.5]


def test_the_next_batches_may_fill_whatever_the_estimates_say() -> None:
    queue = estimated(ready=60.0, pace=60.0, service=60.0, room=2)
    queue.put(work(1.0), now=0.0)
    queue.put(work(1.0), now=0.0)
    with pytest.raises(Overloaded):
        queue.put(work(1.0), now=0.0)


def test_work_is_given_no_more_company_than_it_may_have() -> None:
    queue = Queue(100)
    for _ in range(4):
        queue.add(work(1.0, company=2))
    queue.add(work(2.0))
    assert [len(queue.take(10, now=0.0)[0]) for _ in range(3)] == [2, 2, 1]


class QueueMachine(RuleBasedStateMachine):
    """The queue against a plain list. Times are multiples of 1/8, so that sums are exact."""

    eighths = st.integers(0, 40).map(lambda eighths: eighths / 8)
    shapes = st.sampled_from([(1,), (2,), (3, 4)])

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue(12)
        self.waiting: list[Work] = []
        self.now = 0.0

    @rule(timeout=eighths, shape=shapes)
    def put(self, timeout: float, shape: tuple[int, ...]) -> None:
        new = work(self.now + timeout, shape)
        ahead = sum(each.deadline <= new.deadline for each in self.waiting)
        queue = self.queue
        answer_at = max(self.now, queue.ready) + ahead * queue.pace + queue.service
        hopeless = ahead >= queue.room and answer_at > new.deadline
        if len(self.waiting) >= 12 or hopeless:
            with pytest.raises(Overloaded):
                self.queue.put(new, self.now)
        else:
            self.queue.put(new, self.now)
            self.waiting.append(new)

    @rule(timeout=eighths, shape=shapes, company=st.integers(0, 3))
    def add(self, timeout: float, shape: tuple[int, ...], company: int) -> None:
        new = work(self.now + timeout, shape, company)
        self.queue.add(new)
        self.waiting.append(new)

    @rule(ready=eighths, pace=eighths, service=eighths, room=st.integers(0, 3))
    def estimate(self, ready: float, pace: float, service: float, room: int) -> None:
        self.queue.ready, self.queue.pace = self.now + ready / 4, pace / 32
        self.queue.service, self.queue.room = service / 4, room

    @rule(seconds=eighths)
    def pass_time(self, seconds: float) -> None:
        self.now += seconds / 2

    @rule(limit=st.integers(1, 6))
    def take(self, limit: int) -> None:
        batch, expired = self.queue.take(limit, self.now)
        assert _same(expired, [each for each in self.waiting if each.deadline <= self.now])
        alive = [each for each in self.waiting if each.deadline > self.now]
        assert bool(batch) == bool(alive)
        if batch:
            assert batch[0].deadline == min(deadlines(alive))
            assert [id(each) for each in batch] == [id(each) for each in self._first(alive, batch[0], limit)]
        gone = {id(each) for each in batch}
        self.waiting = [each for each in alive if id(each) not in gone]

    @precondition(lambda self: self.waiting)
    @rule()
    def expire(self) -> None:
        expired = self.queue.expire(self.now)
        assert _same(expired, [each for each in self.waiting if each.deadline <= self.now])
        self.waiting = [each for each in self.waiting if each.deadline > self.now]

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.queue.waiting == len(self.waiting)

    @staticmethod
    def _first(alive: list[Work], like: Work, limit: int) -> list[Work]:
        """The first of a kind by deadline, in order of arrival among equals."""
        kin = [each for each in alive if (each.input, each.company) == (like.input, like.company)]
        return sorted(kin, key=lambda each: each.deadline)[: min(limit, like.company or limit)]


def _same(found: list[Work], expected: list[Work]) -> bool:
    """Whether these are the same objects, in any order."""
    return sorted(map(id, found)) == sorted(map(id, expected))


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
