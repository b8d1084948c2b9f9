"""Best-arm identification for Bernoulli rewards: how to share out the queries, and how sure one may be."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STEPS = 22  # of a bisection: to one part in four millions
_GRID, _PASSES = 64, 2  # of a search by a grid and then a finer one; on that, straight lines are good to 1e-7
_EDGE = 1e-4  # means are kept this far from 0 and 1, and the best this far ahead, where only the shares depend on them


def kl(p: float, q: float) -> float:
    """The divergence of Bernoulli(q) from Bernoulli(p), in nats."""
    if (p > 0 and q <= 0) or (p < 1 and q >= 1):
        return inf
    return (p * log(p / q) if p > 0 else 0.0) + ((1 - p) * log((1 - p) / (1 - q)) if p < 1 else 0.0)


def evidence(count: float, mean: float, other_count: float, other_mean: float, epsilon: float) -> float:
    """inf of n d(m, z) + n' d(m', z + epsilon): how far the data are from the other being better by epsilon.

    0 if they are not; the generalized likelihood ratio statistic, for epsilon = 0 that of Garivier & Kaufmann, eq. 7.
    """
    low, high = max(0.0, other_mean - epsilon), min(mean, 1.0 - epsilon)
    if low >= high:
        return 0.0
    for _ in range(_STEPS):
        z = (low + high) / 2
        slope = count * _slope(mean, z) + other_count * _slope(other_mean, z + epsilon)
        low, high = (low, z) if slope > 0 else (z, high)
    z = (low + high) / 2
    return count * kl(mean, z) + other_count * kl(other_mean, z + epsilon)


def proportions(means: Sequence[float], epsilon: float) -> list[float]:
    """w*: the shares of the queries that tell the best from the rest soonest (Garivier & Kaufmann, theorem 5).

    With the best's share as the unit, model b's is x_b(y), for which the evidence against b grows by y a
    query; y is where the sum over b of d(m, z_b) / d(m_b, z_b + epsilon) is 1, z_b being the closest alternative.
    """
    if len(means) < 2:
        return [1.0] * len(means)
    rates = np.clip(means, _EDGE, 1.0 - _EDGE)
    best = int(rates.argmax())
    top = min(max(2 * _EDGE, float(rates[best])), 1.0 - epsilon - _EDGE)
    others = np.minimum(np.delete(rates, best), top + epsilon - _EDGE)
    low, high = 0.0, float(_divergences(top, np.maximum(_EDGE / 2, others - epsilon)).min())
    for _ in range(_PASSES):
        y = np.linspace(low, high, _GRID)
        balance = _alternatives(top, others, y[:, np.newaxis], epsilon)[1].sum(axis=1)
        above = max(1, int(np.searchsorted(balance[:-1], 1.0)))
        low, high = float(y[above - 1]), float(y[above])
    solution = np.interp([1.0], balance, y)
    shares = np.insert(_alternatives(top, others, solution, epsilon)[0], best, 1.0)
    return [float(share) for share in shares / shares.sum()]


def _alternatives(top: float, means: Array, y: Array, epsilon: float) -> tuple[Array, Array]:
    """x_b(y), and d(m, z_b) / d(m_b, z_b + epsilon), for each of these means and y."""
    low, high = np.broadcast_arrays(np.maximum(_EDGE / 2, means - epsilon), top + 0.0 * y)
    for _ in range(_STEPS):
        z = (low + high) / 2
        x = _slopes(top, z) / -_slopes(means, z + epsilon)
        grows = _divergences(top, z) + x * _divergences(means, z + epsilon) > y
        low, high = np.where(grows, z, low), np.where(grows, high, z)
    x = _slopes(top, high) / -_slopes(means, high + epsilon)
    return x, _divergences(top, high) / _divergences(means, high + epsilon)


def _divergences(p: Array | float, q: Array) -> Array:
    """`kl` of rates within (0, 1)."""
    return np.asarray(p * np.log(p / q) + (1.0 - p) * np.log((1.0 - p) / (1.0 - q)))


def _slopes(p: Array | float, q: Array) -> Array:
    """`_slope` of rates within (0, 1)."""
    return np.asarray((q - p) / (q * (1.0 - q)))


def _slope(p: float, q: float) -> float:
    """d/dq of kl(p, q)."""
    return (q - p) / max(1e-300, q * (1.0 - q))
