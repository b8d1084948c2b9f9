"""AIMD against latency models of our own: it finds the largest batch that meets the objective, and finds it again."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import fmean

import pytest

from serving.batching.controllers import AIMD

OBJECTIVE = 0.020


def limits(controller: AIMD, seconds: Callable[[int], float], batches: int) -> list[int]:
    """The limit after each of so many full batches."""
    found = []
    for _ in range(batches):
        size = controller.limit
        controller.served(size, seconds(size))
        found.append(controller.limit)
    return found


def linear(first: float, each: float) -> Callable[[int], float]:
    return lambda size: first + each * size


def largest(first: float, each: float) -> float:
    return (OBJECTIVE - first) / each


@pytest.mark.parametrize(("first", "each"), [(0.001, 1e-3), (0.002, 1e-4), (0.0001, 2e-5), (0.015, 5e-5)])
def test_it_settles_where_batches_take_just_less_than_the_objective(first: float, each: float) -> None:
    seconds = linear(first, each)
    late = limits(AIMD(OBJECTIVE), seconds, 2000)[-500:]
    assert 0.85 * OBJECTIVE <= seconds(round(fmean(late))) <= OBJECTIVE


def test_it_settles_under_noise() -> None:
    rng = Random(7)
    late = limits(AIMD(OBJECTIVE), lambda size: (0.001 + 1e-4 * size) * rng.gauss(1.0, 0.05), 3000)[-1000:]
    assert 0.75 * largest(0.001, 1e-4) <= fmean(late) <= largest(0.001, 1e-4)


def test_it_follows_a_model_that_becomes_slower_and_faster_again() -> None:
    controller = AIMD(OBJECTIVE)
    assert limits(controller, linear(0.001, 1e-4), 200)[-1] >= 0.85 * largest(0.001, 1e-4)
    assert limits(controller, linear(0.001, 4e-4), 40)[-1] <= largest(0.001, 4e-4)
    assert limits(controller, linear(0.001, 1e-4), 200)[-1] >= 0.85 * largest(0.001, 1e-4)


def test_it_never_asks_for_less_than_one_row() -> None:
    assert set(limits(AIMD(OBJECTIVE), linear(1.0, 1.0), 20)) == {1}


def test_batches_that_were_not_full_do_not_raise_it() -> None:
    controller = AIMD(OBJECTIVE)
    limits(controller, linear(0.001, 1e-4), 10)
    before = controller.limit
    for _ in range(50):
        controller.served(before - 1, 0.001)
    assert controller.limit == before


def test_it_holds_close_below_the_objective() -> None:
    controller = AIMD(OBJECTIVE)
    controller.served(1, 0.95 * OBJECTIVE)
    assert controller.limit == 1


def test_batches_made_under_a_higher_limit_do_not_lower_it_twice() -> None:
    controller = AIMD(OBJECTIVE)
    limits(controller, linear(0.0, 0.0), 50)
    assert controller.limit == 101
    controller.served(101, 2 * OBJECTIVE)
    controller.served(101, 2 * OBJECTIVE)
    assert controller.limit == 90


def test_a_small_batch_that_was_slow_costs_a_tenth() -> None:
    controller = AIMD(OBJECTIVE)
    limits(controller, linear(0.0, 0.0), 50)
    controller.served(1, 2 * OBJECTIVE)
    assert controller.limit == 90
