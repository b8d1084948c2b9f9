"""Intervals that hold at every moment at once, for any number of decisions and any adaptive log."""

from __future__ import annotations

from math import isfinite, log

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaln

from selector.replay.logged import Floats

UNTRUSTED = "too few or too uneven decisions for the bootstrap: the interval is the one that holds at any time"
_SEEN = 0.75  # the mean weight from which the largest weight is believed to have been seen


class RunningMean:
    """What bounds the running average of the conditional means of non-negative x_1, x_2, ...

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

    def moment(self) -> tuple[float, float, float]:
        """Count, sum and V."""
        return float(self.count), self.total, self.variation


def lower(moments: Floats, alpha: float, planned: int) -> Floats:
    """[m] bounds at some moments [m, 3]: with probability 1 - alpha at most the average, at every moment.

    Narrowest after about `planned` values.
    """
    count, total, variation = moments.T
    bounds: Floats = np.maximum(0.0, (total - boundary(variation, alpha, planned / 4)) / np.maximum(count, 1.0))
    return bounds


def upper(moments: Floats, alpha: float, planned: int, largest: float) -> Floats:
    """[m] bounds above: with probability 1 - alpha at least the average, at every moment, if no x is over `largest`."""
    count, total, variation = moments.T
    c = max(1.0, largest)
    reach = c * boundary(variation / c**2, alpha, planned / 4 / c**2)
    bounds: Floats = np.minimum(largest, (total + reach) / np.maximum(count, 1.0))
    return bounds


def boundary(variation: Floats, alpha: float, tuned_for: float) -> Floats:
    """The uniform boundary u(V) of a sum for each V [m], by a gamma-exponential mixture (c = 1).

    Howard, Ramdas, McAuliffe, Sekhon: Time-uniform, nonparametric, nonasymptotic confidence sequences (Annals of
    Statistics 2021), proposition 9 and theorem 4. For weighted rewards as there is no upper bound, only the lower side
    is used, and that of w (1 - r) for the upper: Waudby-Smith et al.: Anytime-valid off-policy inference (2022).
    """
    rho = max(0.1, tuned_for) / (2 * log(1 / alpha) + log(1 + 2 * log(1 / alpha)))
    low, high = np.zeros_like(variation), np.full_like(variation, 2.0)
    while (short := _log_mixture(high, variation, rho) < log(1 / alpha)).any():
        high = np.where(short, 2.0 * high, high)
    for _ in range(50):
        middle = (low + high) / 2.0
        short = _log_mixture(middle, variation, rho) < log(1 / alpha)
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return high


def _log_mixture(s: Floats, v: Floats, rho: float) -> Floats:
    prior = rho * log(rho) - gammaln(rho) - np.log(gammainc(rho, rho))
    shape, rate = v + rho, s + v + rho
    posterior = gammaln(shape) + np.log(gammainc(shape, rate)) - shape * np.log(rate)
    mixture: Floats = prior + posterior + s + v
    return mixture


def interval(
    gains: Floats, shortfalls: Floats, confidence: float, planned: int, largest: float
) -> tuple[Floats, Floats]:
    """[m] lows and highs around a mean reward in [0, 1], from moments [m, 3] of w r and of w (1 - r), w <= `largest`.

    The upper bound is the lesser of two, each with half of the error that is allowed above: from shortfalls, which
    needs no bound on weights, and from gains, which is better where rewards are rare. The latter is not used while
    the mean weight is far below 1: then the largest has not been seen yet.
    """
    alpha = (1.0 - confidence) / 2.0
    low = np.minimum(1.0, lower(gains, alpha, planned))
    high = 1.0 - lower(shortfalls, alpha / 2, planned)
    seen = gains[:, 1] + shortfalls[:, 1] >= _SEEN * gains[:, 0]
    high = np.where(seen, np.minimum(high, upper(gains, alpha / 2, planned, largest)), high)
    return low, np.maximum(low, high)


def of_rewards(rewards: Floats, confidence: float) -> tuple[float, float]:
    """Low and high around the mean of rewards [n] in [0, 1] as they were got; of none, (0, 1)."""
    gains, shortfalls = RunningMean(), RunningMean()
    gains.add(rewards)
    shortfalls.add(1.0 - rewards)
    moments = np.array([gains.moment()]), np.array([shortfalls.moment()])
    low, high = interval(*moments, confidence, max(len(rewards), 1), 1.0)
    return float(low[0]), float(high[0])


def hull(usual: tuple[float, float], always: tuple[float, float]) -> tuple[float, float]:
    """Both together; the latter alone where there is no estimate."""
    return (min(usual[0], always[0]), max(usual[1], always[1])) if isfinite(usual[0] + usual[1]) else always


def paths(weights: Floats, rewards: Floats, confidence: float, at: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Lows and highs after each number of decisions in `at`, increasing."""
    gains, shortfalls = RunningMean(), RunningMean()
    moments, done = [], 0
    for count in at:
        gains.add(weights[done:count] * rewards[done:count])
        shortfalls.add(weights[done:count] * (1.0 - rewards[done:count]))
        moments.append((gains.moment(), shortfalls.moment()))
        done = int(count)
    of_gains, of_shortfalls = np.array(moments).transpose(1, 0, 2)
    return interval(of_gains, of_shortfalls, confidence, len(weights), float(weights.max()))
