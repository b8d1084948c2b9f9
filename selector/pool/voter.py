"""What is known of one model, and of two that disagree."""

from __future__ import annotations

from math import log2

from msgspec import Struct, field

from selector.logarithm import LN2
from selector.pool.accuracy import Accuracy
from selector.pool.ballot import BINS
from selector.pool.gradient import Weight
from selector.pool.ranks import Ranks

_KEEP = 0.95
SHRINKAGE = 4.0
"""Labels that a coarser estimate counts for in a finer one."""
COARSE = 4
"""Bins of a score where two are taken together; each is two of the finer."""
MEMORY = 1000.0
"""Labels after which a count begins to forget."""

Cell = list[float]
Cells = dict[int, Cell]
"""By outcome's id [weight, sum of squared gradients, times it was right, log of that and of what was expected]."""


class Duel(Struct, array_like=True):
    """Two models that disagree, and who was right: the first, the second, or neither.

    `whole` counts that; `by_score`, by the bins of the two scores, too, followed by log(P(first is right) / P(neither))
    and by that of the second, shrunk to the whole. Among two classes neither is ever right, so one of each is taken for
    granted and never forgotten.
    """

    whole: Cell = field(default_factory=lambda: [0.0, 0.0, 0.0])
    by_score: dict[int, Cell] = {}

    def anywhere(self) -> Cell:
        """What is known where the bins are not."""
        first, second, neither = self.whole
        rest = log2(neither + 1.0)
        return [first, second, neither, LN2 * (log2(first + 1.0) - rest), LN2 * (log2(second + 1.0) - rest)]

    def add(self, key: int, first: float, second: float) -> None:
        """Count one label, in place: the chances that the first, and the second, was right."""
        whole, cell = self.whole, self.by_score.get(key)
        if cell is None:
            cell = self.by_score[key] = [0.0, 0.0, 0.0, 0.0, 0.0]
        neither = 1.0 - first - second
        whole[0] = a = whole[0] + first
        whole[1] = b = whole[1] + second
        whole[2] = c = whole[2] + neither
        cell[0] += first
        cell[1] += second
        cell[2] += neither
        total = a + b + c
        if total >= MEMORY:
            forget(whole)
            if sum(cell[:3]) >= MEMORY:
                forget(cell)
        part = SHRINKAGE / (total + 3.0)
        rest = cell[2] + part * (c + 1.0)
        cell[3] = LN2 * log2((cell[0] + part * (a + 1.0)) / rest)
        cell[4] = LN2 * log2((cell[1] + part * (b + 1.0)) / rest)


class Voter(Struct, array_like=True):
    """One model. `cells`, by bin of its score: [right, all, log odds]. `duels` are with models whose names come later.

    The weights are those of its log odds, its stretched score, its distribution, and its confusions; `trust` are those
    of its stretched score by its label and by outcome.
    """

    weight: Weight
    accuracy: Accuracy = field(default_factory=Accuracy)
    ranks: Ranks = field(default_factory=Ranks)
    cells: list[Cell] = field(default_factory=lambda: [[0.0, 0.0, 0.0] for _ in range(BINS)])
    score: Weight = field(default_factory=lambda: [0.0, 1.0])
    spread: Weight = field(default_factory=lambda: [0.1, 1.0])
    confusion: Weight = field(default_factory=lambda: [0.3, 1.0])
    rows: dict[int, Cells] = {}
    trust: dict[int, Cells] = {}
    duels: dict[str, Duel] = {}

    def add(self, bin_: int, right: float) -> None:
        """Count one label, in place: the chance that this model was right."""
        cell, (usual, all_) = self.cells[bin_], self.accuracy.labels
        if cell[1] >= MEMORY:
            forget(cell)
        cell[0] = hits = cell[0] + right
        cell[1] = seen = cell[1] + 1.0
        hits += SHRINKAGE * usual / all_
        cell[2] = LN2 * log2(hits / (seen + SHRINKAGE - hits))


def forget(counts: Cell) -> None:
    """Scale counts that have reached the memory, in place: old labels fade, a twentieth at a time."""
    counts[:] = [_KEEP * count for count in counts]
