"""Means that are shrunk from coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

_SHRINKAGE = 10.0  # labels that a coarser mean counts for in a finer one
_CELLS = 1024  # remembered at most


class Cells(Struct, array_like=True):
    """By key: [sum of w t, sum of w d, sum of w, sum of w^2] over targets t with denominators d and weights w.

    The mean of a cell is the ratio of the first two. Weights are inverse probabilities, so that a cell counts for
    (sum of w)^2 / (sum of w^2) labels; beyond `memory` of them old ones fade.
    """

    cells: dict[int, list[float]] = {}

    def mean(self, keys: Sequence[int], prior: float) -> float:
        """The mean of the last key, shrunk to that of the key before it, and so on to the prior."""
        found, cells = prior, self.cells
        for key in keys:
            cell = cells.get(key)
            if cell is not None:
                n = cell[2] * cell[2] / cell[3]
                found += n / (n + _SHRINKAGE) * (cell[0] / cell[1] - found)
        return found

    def add(self, keys: Sequence[int], target: float, denominator: float, weight: float, memory: float) -> None:
        """Count one target in each of the keys' cells, in place."""
        for key in keys:
            cell = self.cells.get(key)
            if cell is None:
                if len(self.cells) >= _CELLS:
                    continue
                cell = self.cells[key] = [0.0, 0.0, 0.0, 0.0]
            elif cell[2] * cell[2] > memory * cell[3]:
                keep = 1.0 - 1.0 / memory
                cell[:] = [keep * x for x in cell]
            cell[0] += weight * target
            cell[1] += weight * denominator
            cell[2] += weight
            cell[3] += weight * weight
