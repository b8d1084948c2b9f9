"""How far each model's reward has lately been from what its regression expects: levels that wander if they must."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from msgspec import Struct

_FORGIVING = 0.999  # part of the evidence that is left after another feedback
_LEAST = 1e-12  # variances of the noise below cannot be told apart


class Levels(Struct, array_like=True):
    """Local levels: reward = theta^T x + level + noise, level being a random walk with steps of variance `drifts[q]`.

    For each drift q one Kalman filter a model, side by side: `levels[q][i]` and `variances[q][i]`, in units of the
    noise's variance and never above 1. Of the `count` predictions of late, which had the variances f in these units,
    `errors[q]` sums the squared errors by f, and `spreads[q]` log f. The drift by which what came was most likely is
    the one that counts: 0 where nothing changes.

    West & Harrison: Bayesian Forecasting and Dynamic Models (1997), chapter 2; the choice is the prequential one of
    Dawid (1984), forgetting as in Raftery, Karny, Ettler: Online prediction under model uncertainty (2010).
    """

    drifts: tuple[float, ...]
    levels: list[list[float]]
    variances: list[list[float]]
    errors: list[float]
    spreads: list[float]
    count: float = 0.0

    @property
    def best(self) -> int:
        """The drift of the greatest likelihood, the noise's variance being the mean of `errors`; the first of equals.

        -2 log likelihood = count log(errors / count) + spreads, but for what is the same for all.
        """
        count = self.count
        if count == 0.0:
            return 0
        unlikely = [count * log(e / count + _LEAST) + s for e, s in zip(self.errors, self.spreads, strict=True)]
        return unlikely.index(min(unlikely))

    def of(self, rows: Sequence[int | None]) -> Levels:
        """A copy of these rows, None being a model that begins."""
        levels, variances = (
            [[0.0 if row is None else values[row] for row in rows] for values in kept]
            for kept in (self.levels, self.variances)
        )
        return Levels(self.drifts, levels, variances, list(self.errors), list(self.spreads), self.count)

    def tick(self) -> None:
        """One feedback has come: every level may have moved."""
        for drift, variances in zip(self.drifts, self.variances, strict=True):
            if drift > 0:
                variances[:] = [v + drift * (1.0 - v) for v in variances]

    def learn(self, i: int, residual: float, variance: float) -> None:
        """Of model i: reward - theta^T x, and x^T A^-1 x, before the regression learns from it."""
        self.count = _FORGIVING * self.count + 1.0
        for q, (levels, variances) in enumerate(zip(self.levels, self.variances, strict=True)):
            error, spread = residual - levels[i], variances[i] + 1.0 + variance
            self.errors[q] = _FORGIVING * self.errors[q] + error * error / spread
            self.spreads[q] = _FORGIVING * self.spreads[q] + log(spread)
            gain = variances[i] / spread
            levels[i] += gain * error
            variances[i] *= 1.0 - gain


def beginning(drifts: Sequence[float]) -> Levels:
    """No models, and no errors."""
    none = [0.0] * len(drifts)
    return Levels(tuple(drifts), [[] for _ in drifts], [[] for _ in drifts], list(none), list(none))
