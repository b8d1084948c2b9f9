from __future__ import annotations

from serving.workers.backoff import Backoff


def test_each_wait_is_twice_as_long_up_to_the_limit() -> None:
    backoff = Backoff(first=1, limit=5, healthy=60)
    assert [backoff.delay(lived=59) for _ in range(5)] == [1, 2, 4, 5, 5]


def test_a_while_in_health_is_a_new_start() -> None:
    backoff = Backoff(first=1, limit=5, healthy=60)
    assert [backoff.delay(lived) for lived in (0, 0, 60, 0)] == [1, 2, 1, 2]
