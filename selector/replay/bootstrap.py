"""BCa bootstrap of statistics of sums, over groups of decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct

from selector.replay import norm
from selector.replay.logged import Floats

RESAMPLES = 2_000
FEW = 30
"""Decisions, and groups, below which a bootstrap is not trusted."""
_SKEWED = 0.4  # skewness of an estimate's distribution from which it is not

Sums = Mapping[str, Floats]
Statistic = Callable[[Sums], Floats]


class Resamples:
    """`RESAMPLES` draws of G groups out of G: [B, G] counts, the same for all statistics, so that these are paired."""

    def __init__(self, groups: int, seed: int) -> None:
        drawn = np.random.default_rng([seed, 2]).integers(groups, size=(RESAMPLES, groups))
        drawn += np.arange(RESAMPLES)[:, None] * groups
        self.counts = np.bincount(drawn.ravel(), minlength=RESAMPLES * groups).reshape(RESAMPLES, groups).astype(float)

    def totals(self, sums: Sums) -> dict[str, Floats]:
        """[B] totals of each column of sums by group."""
        names = list(sums)
        table = self.counts @ np.column_stack([sums[name] for name in names])
        return {name: table[:, j] for j, name in enumerate(names)}


class Distribution(Struct, frozen=True):
    """A statistic: its value, its resampled values [B] and those without one group each [G]."""

    value: float
    resampled: Floats
    jackknifed: Floats

    @property
    def error(self) -> float:
        """The jackknife's standard error."""
        g = len(self.jackknifed)
        return float(np.sqrt((g - 1) / g * np.sum((self.jackknifed - self.jackknifed.mean()) ** 2)))

    @property
    def skewness(self) -> float:
        """Of the statistic's distribution; 0 for a normal one."""
        away = self.jackknifed.mean() - self.jackknifed
        spread = float(np.sum(away**2)) ** 1.5
        return float(np.sum(away**3)) / spread if spread > 0 else 0.0

    @property
    def trusted(self) -> bool:
        """Whether its interval can be: not with few groups, nor where the distribution is far from normal."""
        return len(self.jackknifed) >= FEW and self.error > 0 and abs(self.skewness) <= _SKEWED

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the standard error (Satterthwaite 1946): few where few groups make most of it.

        A sum of squares of relative variance v is as well known as that of 2 / v normal values; of what each group
        contributes, d, v is sum d^4 / (sum d^2)^2 - 1 / G. Never more than G - 1.
        """
        g, parts = len(self.jackknifed), (self.jackknifed - self.jackknifed.mean()) ** 2
        total = float(parts.sum())
        spread = float(np.sum(parts**2)) / total**2 - 1.0 / g if total > 0 else 0.0
        return min(g - 1.0, 2.0 / spread) if spread > 0 else max(g - 1.0, 1.0)

    def interval(self, confidence: float) -> tuple[float, float]:
        """BCa (Efron 1987, eq. 2.3), widened as Student's t is against the normal, and for skewness.

        A skewed sample has seen too little of its longer tail, so alpha is divided by 1 + 8 |skewness|.
        """
        confidence = 1.0 - (1.0 - confidence) / (1.0 + 8.0 * abs(self.skewness))
        draws = np.sort(self.resampled[np.isfinite(self.resampled)])
        if len(draws) == 0 or draws[0] == draws[-1]:
            return self.value, self.value
        below = (np.sum(draws < self.value) + np.sum(draws <= self.value)) / (2 * len(draws))
        z0 = norm.ppf(np.clip(below, 1 / len(draws), 1 - 1 / len(draws)))
        a = self.skewness / 6.0
        z = norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2]) * self._student(confidence)
        levels = norm.cdf(z0 + (z0 + z) / np.maximum(1 - a * (z0 + z), 1e-3))
        low, high = np.quantile(draws, levels)
        return float(low), float(high)

    def _student(self, confidence: float) -> float:
        """How much wider than with a known standard error; a bootstrap's is that of g - 1 groups of g."""
        from scipy.stats import t  # a family of its own: slow to import

        level, g = (1.0 + confidence) / 2.0, max(len(self.jackknifed), 2)
        return float(t.ppf(level, self.freedom) / norm.ppf(level) * np.sqrt(g / (g - 1)))


def distribution(statistic: Statistic, sums: Sums, totals: Sums) -> Distribution:
    """Of a statistic of sums by group; `totals` are the resampled ones."""
    whole = {name: np.asarray(column.sum()) for name, column in sums.items()}
    without = {name: whole[name] - column for name, column in sums.items()}
    value, jackknifed = float(statistic(whole)), statistic(without)
    known = np.where(np.isfinite(jackknifed), jackknifed, value)  # a group that has all the weight
    return Distribution(value, statistic(totals), known)
