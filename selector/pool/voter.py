"""What is known of one model, and of two that disagree."""

from __future__ import annotations

from math import log

from msgspec import Struct, field

from selector.pool.accuracy import Accuracy
from selector.pool.ballot import BINS
from selector.pool.gradient import Weight
from selector.pool.ranks import Ranks

SHRINKAGE = 4.0
"""Labels that a coarser estimate counts for in a finer one."""
MEMORY = 1000.0
"""Labels after which a count begins to forget."""

Cell = list[float]


class Row(Struct, array_like=True):
    """One answer: how often it was given; by label id [weight, sum of squared gradients, times it was right]."""

    total: float = 0.0
    cells: dict[int, Cell] = {}


class Duel(Struct, array_like=True):
    """Two models that disagree: counts [first right, second right, all] by their scores, weights by their labels."""

    weight: Weight
    whole: Cell = field(default_factory=lambda: [1.0, 1.0, 3.0])
    by_score: dict[int, Cell] = {}
    by_labels: dict[int, dict[int, Weight]] = {}

    def log_odds(self, key: int) -> tuple[float, float]:
        """log(P(first is right) / P(neither)), and of the second, where the scores' bins are `key`."""
        first, second, seen = self.whole
        first, second = first / seen, second / seen
        cell = self.by_score.get(key)
        if cell is not None:
            total = cell[2] + SHRINKAGE
            first, second = (cell[0] + SHRINKAGE * first) / total, (cell[1] + SHRINKAGE * second) / total
        neither = 1.0 - first - second
        return log(first / neither), log(second / neither)

    def add(self, key: int, first: float, second: float) -> None:
        """Count one label, in place: the chances that the first, and the second, was right."""
        cell = self.by_score.get(key)
        if cell is None:
            cell = self.by_score[key] = [0.0, 0.0, 0.0]
        for counts in (self.whole, cell):
            forget(counts, counts[2])
            counts[0] += first
            counts[1] += second
            counts[2] += 1.0


class Voter(Struct, array_like=True):
    """One model. `cells`, by bin of its score: [right, all, log odds]. `duels` are with models whose names come later.

    The weights are those of its log odds, its stretched score, its distribution, and its confusions.
    """

    weight: Weight
    accuracy: Accuracy = field(default_factory=Accuracy)
    ranks: Ranks = field(default_factory=Ranks)
    cells: list[Cell] = field(default_factory=lambda: [[0.0, 0.0, 0.0] for _ in range(BINS)])
    score: Weight = field(default_factory=lambda: [0.0, 1.0])
    spread: Weight = field(default_factory=lambda: [0.1, 1.0])
    confusion: Weight = field(default_factory=lambda: [0.2, 1.0])
    rows: dict[int, Row] = {}
    duels: dict[str, Duel] = {}

    def log_odds(self, bin_: int) -> float:
        """Of being right, where its score falls into this bin."""
        cell = self.cells[bin_]
        return cell[2] if cell[1] > 0 else self.accuracy.log_odds

    def add(self, bin_: int, right: float) -> None:
        """Count one label, in place: the chance that this model was right."""
        cell = self.cells[bin_]
        forget(cell, cell[1])
        cell[0] += right
        cell[1] += 1.0
        rate = (cell[0] + SHRINKAGE * self.accuracy.rate) / (cell[1] + SHRINKAGE)
        cell[2] = log(rate / (1.0 - rate))


def forget(counts: Cell, total: float) -> None:
    """Scale counts that have reached the memory, in place: from then on old labels fade."""
    if total >= MEMORY:
        counts[:] = [(1.0 - 1.0 / MEMORY) * count for count in counts]
