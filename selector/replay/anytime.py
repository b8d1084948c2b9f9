"""Intervals that hold at every moment at once, for any number of decisions and any adaptive log: by betting."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isfinite, log, log1p, log2, sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from selector.replay.logged import Floats

UNTRUSTED = "too few or too uneven decisions for the bootstrap: the interval is the one that holds at any time"
Interval = tuple[float, float]
"""Low and high."""
_SEEN = 0.75  # the mean weight from which the largest weight is believed to have been seen
_LARGEST = 4.0  # bet: more pays only for means that a few values exclude
_HALVINGS = 32  # of the range in which a bound is sought
_FACTORS = 8  # of a product before its logarithm is taken


class Bets(Struct, frozen=True):
    """Sizes of bets, with the logarithms of the shares of the capital that are bet so."""

    sizes: Sequence[float]
    shares: Sequence[float]


def bets(planned: int, most: float = _LARGEST, sign: float = 1.0) -> Bets:
    """Halved from `most` on, most of the capital on what pays best after about `planned` values of deviation 1.

    That is sqrt(2 log(1 / alpha) / planned) against a mean that is off by the interval's width; alpha is taken for .02.
    """
    best = min(sqrt(8.0 / planned), most / 2.0)
    sizes = [most * 0.5**halvings for halvings in range(max(4, int(log2(most / best)) + 5))]
    weights = [exp(-((log2(size / best) / 3.0) ** 2)) for size in sizes]
    return Bets([sign * size for size in sizes], [log(weight / sum(weights)) for weight in weights])


class Capital:
    """What becomes of bets on non-negative x_1, x_2, ...: for each size L the sum of log(1 + L x)."""

    def __init__(self, placed: Bets) -> None:
        self.bets = placed
        self.count = 0
        self.total = 0.0
        self.logs = [0.0] * len(placed.sizes)

    def add(self, x: Floats) -> None:
        """Take in the next values [n]."""
        padded = np.zeros(-(-len(x) // _FACTORS) * _FACTORS)
        padded[: len(x)] = x
        factors, paid = padded.reshape(_FACTORS, -1), np.empty((_FACTORS, len(padded) // _FACTORS))
        for j, size in enumerate(self.bets.sizes):
            np.multiply(factors, size, out=paid)
            np.add(paid, 1.0, out=paid)
            self.logs[j] += float(np.log(np.multiply.reduce(paid)).sum())
        self.count += len(x)
        self.total += float(x.sum())

    def add_total(self, total: float, count: int) -> None:
        """Take in `count` values in [0, 1] of which only the sum is known.

        None win less than as many 0s and 1s of that sum: log(1 + L x) >= x log(1 + L).
        """
        self.logs = [known + total * log1p(size) for known, size in zip(self.logs, self.bets.sizes, strict=True)]
        self.count += count
        self.total += total

    def bound(self, alpha: float, limit: float) -> float:
        """With probability 1 - alpha the average of the conditional means is, at every moment, not beyond this.

        Bets above 0 give a bound below, in [`limit`, mean so far]; bets below 0 one above, in [mean so far, `limit`].
        """
        if self.count == 0 or self._log_capital(limit) < log(1.0 / alpha):
            return limit
        outside, inside = limit, self.total / self.count
        for _ in range(_HALVINGS):
            middle = (outside + inside) / 2.0
            if self._log_capital(middle) < log(1.0 / alpha):
                inside = middle
            else:
                outside = middle
        return outside

    def _log_capital(self, mean: float) -> float:
        """What 1 would have become, had each bet been fair at this mean."""
        n, placed = self.count, zip(self.bets.sizes, self.bets.shares, self.logs, strict=True)
        logs = [share + paid - n * log1p(size * mean) for size, share, paid in placed]
        top = max(logs)
        return top + log(sum([exp(one - top) for one in logs]))


class ConfidenceSequence:
    """Low and high around the running mean reward, from weights w and rewards r in [0, 1], at every moment.

    For sizes L that are fixed, prod (1 + L x_i) / (1 + L mu_i) is a martingale whatever the conditional means mu_i are,
    and prod (1 + L mu_i) <= (1 + L m)^n for their average m; so by Ville's inequality n values with which bets that
    were fair at m would have made 1 / alpha of 1 exclude m, however the world drifts and the log adapts. Below from
    w r; above from w (1 - r), whose mean is 1 - m, and from w r by bets against it, which must know the largest weight;
    these share what error is allowed above.

    Waudby-Smith, Ramdas: Estimating means of bounded random variables by betting (JRSS B 2023); Waudby-Smith et al.:
    Anytime-valid off-policy inference for contextual bandits (2022). The capital is spread over fixed sizes, as in
    Cover's universal portfolio, because sizes that follow the data are fair for a constant mean alone.
    """

    def __init__(self, planned: int, largest: float) -> None:
        self._largest = max(1.0, largest)
        self._gains, self._shortfalls = Capital(bets(planned)), Capital(bets(planned))
        self._against = Capital(bets(planned, most=0.95 / self._largest, sign=-1.0))
        self._weight = 0.0

    def add(self, weights: Floats, rewards: Floats) -> None:
        """Take in the next decisions [n]."""
        gains = weights * rewards
        self._gains.add(gains)
        self._against.add(gains)
        self._shortfalls.add(weights - gains)
        self._weight += float(weights.sum())

    def add_total(self, total: float, count: int) -> None:
        """Take in decisions of weight 1, of whose rewards only the sum is known."""
        self._gains.add_total(total, count)
        self._against.add_total(total, count)
        self._shortfalls.add_total(count - total, count)
        self._weight += count

    def interval(self, confidence: float) -> Interval:
        """After what has come. Bets that need the largest weight are not used while the mean weight is far below 1."""
        alpha = (1.0 - confidence) / 2.0
        low = min(1.0, self._gains.bound(alpha, 0.0))
        high = 1.0 - min(1.0, self._shortfalls.bound(alpha / 2.0, 0.0))
        if self._weight >= _SEEN * self._gains.count:
            high = min(high, self._against.bound(alpha / 2.0, self._largest))
        return low, max(low, high)


def of_rewards(rewards: Floats, confidence: float) -> Interval:
    """Low and high around the mean of rewards [n] in [0, 1] as they were got; of none, (0, 1)."""
    sequence = ConfidenceSequence(max(len(rewards), 1), 1.0)
    sequence.add(np.ones(len(rewards)), rewards)
    return sequence.interval(confidence)


def of_total(total: float, count: int, confidence: float) -> Interval:
    """The same of `count` rewards of which only the sum is known: as narrow where they are 0 or 1, else wider."""
    sequence = ConfidenceSequence(max(count, 1), 1.0)
    sequence.add_total(total, count)
    return sequence.interval(confidence)


def hull(usual: Interval, always: Interval) -> Interval:
    """Both together; the latter alone where there is no estimate."""
    return (min(usual[0], always[0]), max(usual[1], always[1])) if isfinite(usual[0] + usual[1]) else always


def held(weights: Floats, rewards: Floats, means: Floats, confidence: float) -> NDArray[np.bool_]:
    """Whether the interval after each decision [n] holds the average so far, `means`, of what it is about.

    The capitals of `ConfidenceSequence`, at these means alone, after every decision at once.
    """
    alpha, largest, n = (1.0 - confidence) / 2.0, max(1.0, float(weights.max())), len(weights)
    gains, count = weights * rewards, np.arange(1, n + 1)
    below = _wealth(bets(n), gains, means) < log(1.0 / alpha)
    above = _wealth(bets(n), weights - gains, 1.0 - means) < log(2.0 / alpha)
    against = _wealth(bets(n, most=0.95 / largest, sign=-1.0), gains, means) < log(2.0 / alpha)
    holds: NDArray[np.bool_] = below & above & (against | (np.cumsum(weights) < _SEEN * count))
    return holds


def _wealth(placed: Bets, x: Floats, means: Floats) -> Floats:
    """[n] logarithms of what 1 has become after each of x, had each bet been fair at the mean then."""
    count, found = np.arange(1, len(x) + 1), np.full(len(x), -np.inf)
    for size, share in zip(placed.sizes, placed.shares, strict=True):
        found = np.logaddexp(found, share + np.cumsum(np.log1p(size * x)) - count * np.log1p(size * means))
    return found
