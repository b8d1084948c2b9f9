"""How likely an answer is right on which so many agree: learned from what came true."""

from __future__ import annotations

from msgspec import Struct, field

_STEPS = 10  # of a share; the shares of up to ten voters all differ
_CELLS = (_STEPS + 1) ** 2
_HORIZON = 3_000.0  # labels in one cell, after which old ones count half


class Agreement(Struct, array_like=True):
    """Of answers with the same agreement, how many there were and how many were right.

    Agreement is two shares of those who could be asked: who had the answer among their top k, and who said it. Before
    any label the first is taken for the probability; it counts for one label.
    """

    cells: list[list[float]] = field(default_factory=lambda: [[0.0, 0.0] for _ in range(_CELLS)])

    def __call__(self, among: float, said: float) -> float:
        """The calibrated probability, in [0, 1]."""
        count, right = self.cells[_cell(among, said)]
        return (right + among) / (count + 1.0)

    def add(self, among: float, said: float, right: float) -> None:
        """An answer with this agreement was right, in place; in (0, 1): it was so with this probability."""
        cell = self.cells[_cell(among, said)]
        if cell[0] >= _HORIZON:
            cell[:] = [cell[0] / 2.0, cell[1] / 2.0]
        cell[0] += 1.0
        cell[1] += right


def _cell(among: float, said: float) -> int:
    return round(among * _STEPS) * (_STEPS + 1) + round(said * _STEPS)
