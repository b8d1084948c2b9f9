"""The batches in flight at one replica: their service time, and what it says about the replica's speed."""

from __future__ import annotations

from collections.abc import Callable
from math import isinf

import pytest

from serving.batching.controllers import AIMD
from serving.batching.flights import Flights
from serving.batching.queue import Work
from tests.serving.batching.fakes import Replica, Waiter, number


def works(rows: int) -> list[Work]:
    return [Work(number(value), 1.0, Waiter()) for value in range(rows)]


def flights(objective: float = 0.010, ahead: float = 0.002) -> Flights:
    return Flights(Replica(), AIMD(objective), ahead)


def serve(flights: Flights, seconds: float, rows: int | None = None, now: float = 0.0) -> float:
    """Send a batch, full if `rows` is not given, and land it after `seconds`; returns when."""
    flights.send(0, works(rows or flights.controller.limit), now)
    flight, took = flights.land(0, now + seconds)
    flights.learn(flight, took)
    return now + seconds


def serve_many(flights: Flights, seconds: Callable[[int], float], batches: int, now: float = 0.0) -> float:
    for _ in range(batches):
        now = serve(flights, seconds(flights.controller.limit), now=now)
    return now


def test_a_batch_behind_another_is_not_charged_for_waiting() -> None:
    busy = flights()
    busy.send(1, works(2), 10.0)
    busy.send(2, works(3), 11.0)
    assert busy.rows == 5
    assert busy.land(1, 14.0)[1] == 4.0
    assert busy.land(2, 16.0)[1] == 2.0
    assert (busy.rows, len(busy)) == (0, 0)


def test_a_replica_that_was_idle_is_not_charged_for_it() -> None:
    rested = flights()
    rested.send(1, works(1), 10.0)
    rested.land(1, 11.0)
    rested.send(2, works(1), 20.0)
    assert rested.land(2, 20.5)[1] == 0.5


def test_short_batches_are_sent_ahead_and_long_ones_are_not() -> None:
    short, long = flights(), flights()
    serve_many(short, lambda _: 0.001, 20)
    serve_many(long, lambda _: 0.003, 20)
    for busy in (short, long):
        assert busy.idle
        busy.send(1, works(1), 1.0)
    assert (short.idle, long.idle) == (True, False)
    short.send(2, works(1), 1.0)
    assert not short.idle


def test_nobody_knows_the_rate_while_the_limit_grows() -> None:
    growing = flights()
    serve_many(growing, lambda _: 0.001, 5)
    assert growing.controller.limit == 11
    assert isinf(growing.rate)
    growing.send(1, works(11), 1.0)
    assert (growing.done_at, growing.room) == (1.0, 11)


def test_the_rate_is_that_of_full_batches() -> None:
    settled = flights()
    now = serve_many(settled, lambda _: 0.001, 5)
    now = serve(settled, 0.0095, now=now)
    now = serve(settled, 0.001, rows=1, now=now)
    assert settled.rate == pytest.approx(11 / 0.0095)
    settled.send(1, works(22), now + 1.0)
    assert settled.done_at == pytest.approx(now + 1.0 + 2 * 0.0095)


def test_the_rate_follows_the_replica() -> None:
    changing = flights()
    now = serve_many(changing, lambda _: 0.020, 60)
    assert changing.rate == pytest.approx(1 / 0.020)
    serve_many(changing, lambda limit: 0.002 * limit, 60, now)
    assert changing.rate == pytest.approx(1 / 0.002, rel=0.1)


def test_a_replica_too_slow_for_one_row_has_no_room_while_it_works() -> None:
    slow = flights()
    now = serve(slow, 0.020)
    assert slow.room == 1
    slow.send(1, works(1), now)
    assert slow.room == 0
