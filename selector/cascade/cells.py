"""Means that are shrunk from coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

_CELLS = 1024  # remembered at most


class Cells(Struct, array_like=True):
    """By key: [sum of targets, sum of their denominators], whose ratio is the cell's mean."""

    cells: dict[int, list[float]] = {}

    def mean(self, keys: Sequence[int], prior: float, shrinkage: float) -> float:
        """The mean of the last key, shrunk to that of the key before it, and so on to the prior."""
        found, cells = prior, self.cells
        for key in keys:
            cell = cells.get(key)
            if cell is not None:
                found += (cell[0] - cell[1] * found) / (cell[1] + shrinkage)
        return found

    def weight(self, key: int) -> float:
        """The denominators of one cell, summed."""
        cell = self.cells.get(key)
        return 0.0 if cell is None else cell[1]

    def add(self, keys: Sequence[int], target: float, denominator: float, memory: float) -> None:
        """Count one target in the cell of each key, in place; beyond `memory`, in denominators, old ones fade."""
        for key in keys:
            cell = self.cells.get(key)
            if cell is None:
                if len(self.cells) >= _CELLS:
                    continue
                cell = self.cells[key] = [0.0, 0.0]
            elif cell[1] > memory:
                keep = 1.0 - denominator / memory
                cell[:] = [keep * cell[0], keep * cell[1]]
            cell[0] += target
            cell[1] += denominator

    def fade(self, keep: float) -> None:
        """Let all count for less, in place."""
        for cell in self.cells.values():
            cell[:] = [keep * cell[0], keep * cell[1]]
