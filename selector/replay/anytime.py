"""Intervals that hold at every moment at once, for any number of decisions and any adaptive log."""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaln

from selector.replay.logged import Floats

_SEEN = 0.75  # the mean weight from which the largest weight is believed to have been seen


class RunningMean:
    """A lower bound on the running average of the conditional means of non-negative x_1, x_2, ...

    The mean so far, at most 1, predicts the next; V = sum (x - prediction)^2.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.variation = 0.0

    def add(self, x: Floats) -> None:
        """Take in the next values [n]."""
        before = self.total + np.concatenate([[0.0], np.cumsum(x)[:-1]])
        seen = self.count + np.arange(len(x))
        guess = np.minimum(1.0, (before + 0.5) / (seen + 1.0))
        self.count += len(x)
        self.total += float(x.sum())
        self.variation += float(np.sum((x - guess) ** 2))

    def lower(self, alpha: float, planned: int) -> float:
        """With probability 1 - alpha at most the average, at every moment; narrowest after about `planned` values."""
        if self.count == 0:
            return 0.0
        return max(0.0, (self.total - boundary(self.variation, alpha, planned / 4)) / self.count)

    def upper(self, alpha: float, planned: int, largest: float) -> float:
        """With probability 1 - alpha at least the average, at every moment, if no x is above `largest`."""
        if self.count == 0:
            return largest
        c = max(1.0, largest)
        reach = c * boundary(self.variation / c**2, alpha, planned / 4 / c**2)
        return min(largest, (self.total + reach) / self.count)


def boundary(variation: float, alpha: float, tuned_for: float) -> float:
    """The uniform boundary u(V) of a sum, by a gamma-exponential mixture (c = 1).

    Howard, Ramdas, McAuliffe, Sekhon: Time-uniform, nonparametric, nonasymptotic confidence sequences (Annals of
    Statistics 2021), proposition 9 and theorem 4. For weighted rewards as there is no upper bound, only the lower side
    is used, and that of w (1 - r) for the upper: Waudby-Smith et al.: Anytime-valid off-policy inference (2022).
    """
    rho = max(0.1, tuned_for) / (2 * log(1 / alpha) + log(1 + 2 * log(1 / alpha)))
    low, high = 0.0, 2.0
    while _log_mixture(high, variation, rho) < log(1 / alpha):
        high *= 2.0
    for _ in range(50):
        middle = (low + high) / 2.0
        if _log_mixture(middle, variation, rho) < log(1 / alpha):
            low = middle
        else:
            high = middle
    return high


def _log_mixture(s: float, v: float, rho: float) -> float:
    prior = rho * log(rho) - gammaln(rho) - np.log(gammainc(rho, rho))
    shape, rate = v + rho, s + v + rho
    posterior = gammaln(shape) + np.log(gammainc(shape, rate)) - shape * log(rate)
    return float(prior + posterior + s + v)


def interval(
    gains: RunningMean, shortfalls: RunningMean, confidence: float, planned: int, largest: float
) -> tuple[float, float]:
    """Around a mean reward in [0, 1], from weighted rewards w r and weighted shortfalls w (1 - r), w <= `largest`.

    The upper bound is the lesser of two, each with half of the error that is allowed above: from shortfalls, which
    needs no bound on weights, and from gains, which is better where rewards are rare. The latter is not used while
    the mean weight is far below 1: then the largest has not been seen yet.
    """
    alpha = (1.0 - confidence) / 2.0
    low = min(1.0, gains.lower(alpha, planned))
    high = 1.0 - shortfalls.lower(alpha / 2, planned)
    if gains.total + shortfalls.total >= _SEEN * gains.count:
        high = min(high, gains.upper(alpha / 2, planned, largest))
    return low, max(low, high)


def paths(weights: Floats, rewards: Floats, confidence: float, at: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Lows and highs after each number of decisions in `at`, increasing."""
    gains, shortfalls = RunningMean(), RunningMean()
    largest, bounds, done = float(weights.max()), [], 0
    for count in at:
        gains.add(weights[done:count] * rewards[done:count])
        shortfalls.add(weights[done:count] * (1.0 - rewards[done:count]))
        bounds.append(interval(gains, shortfalls, confidence, len(weights), largest))
        done = int(count)
    lows, highs = zip(*bounds, strict=True)
    return np.array(lows), np.array(highs)
