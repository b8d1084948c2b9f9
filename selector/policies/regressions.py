"""Bayesian linear regressions side by side, one a model: what reward to expect of each, given a query's features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from selector.features import Array

_PRIOR_REWARD = 1.0  # a model without feedback counts as faultless, so it is tried


@dataclass(eq=False)
class Regressions:
    """Of each of `models`, theta = A^-1 b (K x d) and A^-1 (K x d x d): A = ridge I + sum of x x^T, for one noise.

    A reward r is taken for theta^T x plus noise of deviation 1, so that A^-1 is the covariance of theta in units of
    the noise; before any feedback theta expects 1 of everything. `turn` is the coordinate that `fade` comes to next.
    """

    ridge: float
    theta: Array = field(default_factory=lambda: np.zeros((0, 1)))
    inverse: Array = field(default_factory=lambda: np.zeros((0, 1, 1)))
    turn: int = 0

    @property
    def size(self) -> int:
        """d."""
        return int(self.theta.shape[1])

    def of(self, rows: Sequence[int | None], size: int) -> Regressions:
        """A copy of these rows, None being a model that begins, with room for `size` features."""
        theta, inverse = np.zeros((len(rows), size)), np.zeros((len(rows), size, size))
        theta[:, 0] = _PRIOR_REWARD
        inverse[:] = np.eye(size) / self.ridge
        d = self.size
        for new, old in enumerate(rows):
            if old is not None:
                theta[new, :d], inverse[new, :d, :d] = self.theta[old], self.inverse[old]
        return Regressions(self.ridge, theta, inverse, self.turn)

    def expect(self, x: Array) -> tuple[Array, Array]:
        """theta^T x and x^T A^-1 x of each model."""
        return self.theta @ x, np.maximum((self.inverse @ x) @ x, 0.0)

    def prior(self, x: Array) -> tuple[float, float]:
        """The same of a model that begins."""
        return _PRIOR_REWARD * float(x[0]), float(x @ x) / self.ridge

    def learn(self, rows: Sequence[int], x: Array, rewards: Array, precision: float = 1.0) -> tuple[Array, Array]:
        """A += precision x x^T and b += precision r x for the models `rows`, in place (Sherman & Morrison 1950).

        What was left of each reward, r - theta^T x, and x^T A^-1 x, both as they were before.
        """
        together = rows[-1] - rows[0] == len(rows) - 1
        chosen = slice(rows[0], rows[-1] + 1) if together else list(rows)  # a slice is not copied
        directions = self.inverse[chosen] @ x
        variances, residuals = np.maximum(directions @ x, 0.0), rewards - self.theta[chosen] @ x
        totals = 1.0 / precision + variances
        self.theta[chosen] += directions * (residuals / totals)[:, np.newaxis]
        squares = directions[:, :, np.newaxis] * directions[:, np.newaxis, :]
        squares /= totals[:, np.newaxis, np.newaxis]
        self.inverse[chosen] -= squares
        return residuals, variances

    def fade(self, discount: float) -> None:
        """A <- discount A + (1 - discount) ridge I, and b so that theta tends to where it began, in place.

        The ridge is given back a coordinate at a time, in turn, so that each is a step of rank one.
        """
        self.inverse /= discount
        steps = ceil(self.size * (1.0 - discount))
        precision = (1.0 - discount) * self.ridge * self.size / steps
        for _ in range(steps):
            unit = np.zeros(self.size)
            unit[self.turn % self.size] = 1.0
            self.learn(range(len(self.theta)), unit, np.full(len(self.theta), _PRIOR_REWARD * unit[0]), precision)
            self.turn = (self.turn + 1) % self.size
