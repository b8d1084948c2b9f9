"""Query ids: 63-bit integers, ordered by time, unique over front ends and restarts."""

from __future__ import annotations

from collections.abc import Callable

EPOCH_MS = 1_704_067_200_000  # 2024-01-01: 41 bits of milliseconds from here last until 2093
SEQUENCE_BITS = 12
FRONT_END_BITS = 10
MAX_FRONT_ENDS = 1 << FRONT_END_BITS
_SEQUENCE = (1 << SEQUENCE_BITS) - 1


class QueryIds:
    """Gives ids `milliseconds | front end (10 bits) | sequence (12 bits)`.

    Time and sequence count as one number that only grows: more than 4,096 queries in a millisecond
    borrow from the next, and a clock set back repeats nothing. `last` is the greatest id given before.
    """

    def __init__(self, clock: Callable[[], float], front_end: int = 0, last: int = 0) -> None:
        if not 0 <= front_end < MAX_FRONT_ENDS:
            raise ValueError(f"front end {front_end} is not in 0..{MAX_FRONT_ENDS - 1}")
        self._clock = clock
        self._front_end = front_end << SEQUENCE_BITS
        self._tick = (last >> FRONT_END_BITS + SEQUENCE_BITS << SEQUENCE_BITS) | (last & _SEQUENCE)

    def next(self) -> int:
        """An id greater than every one before."""
        now = int(self._clock() * 1000) - EPOCH_MS << SEQUENCE_BITS
        self._tick = tick = now if now > self._tick else self._tick + 1
        return tick >> SEQUENCE_BITS << FRONT_END_BITS + SEQUENCE_BITS | self._front_end | tick & _SEQUENCE
