"""How much a model usually loses in each group of inputs."""

from __future__ import annotations

from math import sqrt

from selector.decisions import Label

LEAST, MOST = 0.001, 0.995
_GROUPS = 1_000
_DISTRUST = 4.0  # of what few labels say, beyond chance


class Rates:
    """Labels and the sum of losses in [0, 1], by group: the first thousand of them."""

    __slots__ = ("counts", "totals")

    def __init__(self) -> None:
        self.counts: dict[Label, float] = {}
        self.totals: dict[Label, float] = {}

    def learn(self, group: Label, loss: float) -> None:
        """One label more."""
        if group in self.counts:
            self.counts[group] += 1.0
            self.totals[group] += loss
        elif len(self.counts) < _GROUPS:
            self.counts[group], self.totals[group] = 1.0, loss

    def at_most(self, group: Label) -> float:
        """The usual loss in a group, one standard error high, and more while its labels are few."""
        n = self.counts.get(group, 0.0) + 1.0
        rate = (self.totals.get(group, 0.0) + 0.5) / n
        error = sqrt(rate * max(0.0, 1.0 - rate) / n) * (1.0 + _DISTRUST / sqrt(n))
        return min(MOST, max(LEAST, rate + error))
