"""Intervals: they hold the truth as often as they say, for any sequence."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec
import pytest

from selector.interval import Interval, Residuals

GAMMA = 0.01


def play(interval: Interval, labels: int, truth: Callable[[int], float]) -> tuple[Residuals, list[float], float]:
    """Answers of 0 from two models that say 1 and -1. The widths of intervals, and the share of answers missed."""
    residuals, widths, missed = Residuals(), [], 0
    for i in range(labels):
        around, label = interval.around(residuals, 0.0, (1.0, -1.0)), truth(i)
        if around is not None:
            widths.append(around[1] - around[0])
            missed += not around[0] <= label <= around[1]
        interval.observe(residuals, 0.0, (1.0, -1.0), around, label)
    return residuals, widths, missed / labels


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99])
@pytest.mark.parametrize(
    "scale",
    [lambda i: 1.0, lambda i: 1.0 + i / 100, lambda i: 1.0 if i % 1000 < 500 else 50.0],
    ids=["steady", "growing", "shifting"],
)
def test_the_share_of_answers_missed_is_the_one_stated_even_if_errors_grow(
    coverage: float, scale: Callable[[int], float]
) -> None:
    rng, labels = Random(1), 4_000
    *_, missed = play(Interval(coverage=coverage), labels, lambda i: rng.gauss(0.0, scale(i)))
    assert abs(missed - (1.0 - coverage)) <= (1.0 + GAMMA) / (GAMMA * labels)  # proposition 4.1 of the paper


def test_an_interval_is_about_as_wide_as_it_must_be() -> None:
    rng = Random(2)
    _, widths, _ = play(Interval(coverage=0.9), 3_000, lambda _: rng.gauss(0.0, 1.0))
    assert sum(widths[1_000:]) / len(widths[1_000:]) == pytest.approx(2 * 1.645, rel=0.1)


def test_where_models_disagree_it_is_wider() -> None:
    rng = Random(3)
    interval = Interval(coverage=0.9)
    residuals, *_ = play(interval, 300, lambda _: rng.gauss(0.0, 1.0))
    agreed, disputed = (interval.around(residuals, 0.0, said) for said in ((0.1, -0.1), (5.0, -5.0)))
    assert agreed is not None
    assert disputed is not None
    assert agreed[1] < disputed[1]


def test_one_wild_label_does_not_widen_all_that_follow() -> None:
    rng = Random(5)
    _, widths, _ = play(Interval(coverage=0.9), 1_200, lambda i: 1e12 if i == 1_000 else rng.gauss(0.0, 1.0))
    assert max(widths[-190:]) < 1.5 * max(widths[500:900])


def test_nothing_is_said_before_there_are_labels_enough() -> None:
    interval, residuals = Interval(coverage=0.9), Residuals()
    said = []
    for _ in range(10):
        said.append(interval.around(residuals, 0.0, ()))
        interval.observe(residuals, 0.0, (), said[-1], 1.0)
    assert said[:9] == [None] * 9  # nine residuals cannot tell what one in ten exceeds
    assert said[9] is not None


def test_what_is_remembered_is_bounded_and_survives_its_encoding() -> None:
    rng = Random(4)
    residuals, *_ = play(Interval(coverage=0.9), 1_200, lambda _: rng.gauss(0.0, 1.0))
    assert sorted(residuals.recent) == residuals.ordered
    assert len(residuals.ordered) == 500
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(residuals), type=Residuals) == residuals
