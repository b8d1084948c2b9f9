"""Best-arm identification for Bernoulli rewards: how to share out the queries, and how sure one may be."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log

_STEPS = 22  # of a bisection: to one part in four millions
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
    clipped = [min(1.0 - _EDGE, max(_EDGE, mean)) for mean in means]
    best = max(range(len(clipped)), key=clipped.__getitem__)
    top = min(clipped[best], 1.0 - epsilon - _EDGE)
    others = [min(mean, top + epsilon - _EDGE) for i, mean in enumerate(clipped) if i != best]
    low, high = 0.0, min(kl(top, max(_EDGE / 2, mean - epsilon)) for mean in others)
    for _ in range(_STEPS):
        y = (low + high) / 2
        balance = sum(_alternative(top, mean, y, epsilon)[1] for mean in others)
        low, high = (y, high) if balance < 1.0 else (low, y)
    shares = [_alternative(top, mean, low, epsilon)[0] for mean in others]
    shares.insert(best, 1.0)
    total = sum(shares)
    return [share / total for share in shares]


def _alternative(top: float, mean: float, y: float, epsilon: float) -> tuple[float, float]:
    """x_b(y), and d(m, z_b) / d(m_b, z_b + epsilon)."""
    low, high = max(_EDGE / 2, mean - epsilon), top
    for _ in range(_STEPS):
        z = (low + high) / 2
        x = _slope(top, z) / -_slope(mean, z + epsilon)
        grows = kl(top, z) + x * kl(mean, z + epsilon)
        low, high = (z, high) if grows > y else (low, z)
    z = high
    x = _slope(top, z) / -_slope(mean, z + epsilon)
    return x, kl(top, z) / kl(mean, z + epsilon)


def _slope(p: float, q: float) -> float:
    """d/dq of kl(p, q)."""
    return (q - p) / max(1e-300, q * (1.0 - q))
