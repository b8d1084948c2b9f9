"""Query ids are unique, ordered by time, and fit 63 bits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.query_ids import EPOCH_MS, QueryIds

NOW = EPOCH_MS / 1000 + 1e8


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=50))
def test_ids_grow_whatever_the_clock_does(steps: list[float]) -> None:
    time = [NOW]
    ids = QueryIds(lambda: time[0])
    given_ids = []
    for step in steps:
        time[0] += step
        given_ids.append(ids.next())
    assert given_ids == sorted(set(given_ids))


def test_a_full_millisecond_borrows_from_the_next() -> None:
    ids = QueryIds(lambda: NOW)
    many = [ids.next() for _ in range(10_000)]
    assert len(set(many)) == 10_000
    assert many == sorted(many)


def test_front_ends_never_give_the_same_id() -> None:
    front_ends = [QueryIds(lambda: NOW, front_end) for front_end in (0, 1, 1023)]
    many = [ids.next() for _ in range(5_000) for ids in front_ends]
    assert len(set(many)) == len(many)
    assert max(many) < 1 << 63


@given(st.integers(0, 1023), st.integers(0, 5_000))
def test_after_a_restart_with_the_clock_set_back_ids_go_on_growing(front_end: int, before: int) -> None:
    ids = QueryIds(lambda: NOW, front_end)
    last = [ids.next() for _ in range(before + 1)][-1]
    assert QueryIds(lambda: NOW - 1000, front_end, last).next() > last
