"""How long to wait before something that failed is tried again."""

from __future__ import annotations


class Backoff:
    """Twice as long each time, from `first` to `limit` seconds; then `first` again after `healthy` seconds of life."""

    def __init__(self, first: float = 0.1, limit: float = 30.0, healthy: float = 30.0) -> None:
        self._first = first
        self._limit = limit
        self._healthy = healthy
        self._next = first

    def delay(self, lived: float) -> float:
        """Seconds to wait now that it failed after `lived` seconds in health."""
        if lived >= self._healthy:
            self._next = self._first
        delay = self._next
        self._next = min(2 * delay, self._limit)
        return delay
