"""How high a score is among those seen before: scores of different models have different scales."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from msgspec import Struct

_SIZE = 256


class Ranks(Struct, array_like=True):
    """A sketch of all scores seen: fewer than 256 of them, sorted, evenly thinned.

    When it is full, every other score goes and half as many of those to come are kept.
    """

    scores: list[float] = []
    every: int = 1
    waiting: int = 0

    def bin(self, score: float, bins: int) -> int:
        """Which of `bins` equal shares of the scores seen this one falls into, from 0; ties count half."""
        scores = self.scores
        position = bisect_left(scores, score) + bisect_right(scores, score)
        return position * bins // (2 * len(scores) + 1)

    def add(self, score: float) -> None:
        """One more score, in place."""
        self.waiting += 1
        if self.waiting < self.every:
            return
        self.waiting = 0
        insort(self.scores, score)
        if len(self.scores) >= _SIZE:
            del self.scores[::2]
            self.every *= 2
