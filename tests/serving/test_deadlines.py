"""One timer serves all deadlines."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.deadlines import ROOM, Deadlines


class Loop:
    """Timers over a clock that is moved by hand; keeps how many were armed."""

    def __init__(self) -> None:
        self.now = 0.0
        self.armed = 0
        self.timers: list[Timer] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        self.armed += 1
        timer = Timer(self.now + delay, callback)
        self.timers.append(timer)
        return timer

    def move_to(self, time: float) -> None:
        while True:
            due = [timer for timer in self.timers if timer.at <= time and not timer.cancelled]
            if not due:
                break
            first = min(due, key=lambda timer: timer.at)
            self.timers.remove(first)
            self.now = max(self.now, first.at)
            first.callback()
        self.now = time


class Timer:
    def __init__(self, at: float, callback: Callable[[], None]) -> None:
        self.at, self.callback, self.cancelled = at, callback, False

    def cancel(self) -> None:
        self.cancelled = True


class Query:
    def __init__(self, loop: Loop) -> None:
        self.loop, self.finished, self.expired_at = loop, False, -1.0

    def expire(self) -> None:
        self.finished, self.expired_at = True, self.loop.now


def deadlines_on(loop: Loop) -> Deadlines:
    return Deadlines(lambda: loop.now, loop.call_later)


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=30))
def test_each_expires_at_its_own_deadline_unless_it_was_answered(queries: list[tuple[float, bool]]) -> None:
    loop = Loop()
    deadlines = deadlines_on(loop)
    waiting = [(deadline, answered, Query(loop)) for deadline, answered in queries]
    for deadline, answered, query in waiting:
        deadlines.add(deadline, query)
        query.finished = answered
    loop.move_to(200.0)
    for deadline, answered, query in waiting:
        assert query.expired_at == pytest.approx(-1.0 if answered else deadline)  # a timer counts from now
    assert len(deadlines) == 0


def test_a_thousand_answered_in_time_arm_one_timer() -> None:
    loop = Loop()
    deadlines = deadlines_on(loop)
    for n in range(1000):
        query = Query(loop)
        deadlines.add(1.0 + n / 1000, query)
        query.finished = True
    assert loop.armed == 1
    loop.move_to(5.0)
    assert loop.armed == 1


def test_memory_follows_those_that_wait_not_those_that_were_answered() -> None:
    loop = Loop()
    deadlines = deadlines_on(loop)
    waiting = [Query(loop) for _ in range(1000)]
    for query in waiting:
        deadlines.add(10.0, query)
    for _ in range(100_000):
        query = Query(loop)
        deadlines.add(10.0, query)
        query.finished = True
        assert len(deadlines) <= 2 * len(waiting) + ROOM
    loop.move_to(10.0)
    assert all(query.expired_at == 10.0 for query in waiting)


def test_closing_forgets_all() -> None:
    loop = Loop()
    deadlines, query = deadlines_on(loop), Query(loop)
    deadlines.add(1.0, query)
    deadlines.close()
    loop.move_to(2.0)
    assert not query.finished
