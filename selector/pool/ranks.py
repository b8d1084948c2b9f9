"""How high a score is among those seen before: scores of different models have different scales."""

from __future__ import annotations

from bisect import bisect_right, insort

from msgspec import Struct

SHARES = 6
_SIZE = 256
_EVERY = 8  # scores after which the edges are found anew


class Ranks(Struct, array_like=True):
    """A sketch of all scores seen: fewer than 256 of them, sorted, evenly thinned; `edges` cut them in equal shares.

    When it is full, every other score goes and half as many of those to come are kept.
    """

    scores: list[float] = []
    every: int = 1
    waiting: int = 0
    edges: list[float] = []

    def bin(self, score: float) -> int:
        """Which of SHARES equal shares of the scores seen this one falls into, from 0.

        A score that many have is in the highest of its shares, so that models which often say 1 are told from less.
        """
        return bisect_right(self.edges, score)

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
        n = len(self.scores)
        if n < _EVERY or n % _EVERY == 0:
            self.edges = [self.scores[share * n // SHARES] for share in range(1, SHARES)]
