"""P(best): which of several independent unknowns, Beta-distributed rates or normal scores, is the greatest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from math import erfc, hypot, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_NODES = 64
_REACH = 10.0  # standard deviations of the log odds beyond which a posterior counts for nothing
_NARROW = 3.0  # a posterior narrower than this part of the whole range gets nodes of its own


def chances_of_best(posteriors: Sequence[tuple[float, float]]) -> list[float]:
    """P(i is best) = integral of f_i(t) prod_{j != i} F_j(t) dt for rates Beta(a_i, b_i); they sum to 1.

    By Gauss-Legendre quadrature over the log odds t, where a Beta has one bump of known place and
    width however concentrated it is; the range is cut where much narrower posteriors begin and end. Error below 1e-6
    against adaptive quadrature for a, b from 1 to 1e6.
    """
    if len(posteriors) < 2:
        return [1.0] * len(posteriors)
    a, b = (np.array(column)[:, np.newaxis] for column in zip(*posteriors, strict=True))
    low, high = _range(a, b)
    rivals = (high > low.max()).ravel()
    t, weights = _nodes(_edges(low[rivals], high[rivals]))
    densities, below = _betas(a[rivals], b[rivals], t)
    chances = np.zeros(len(posteriors))
    chances[rivals] = _normalized(densities, below, weights)
    return [float(chance) for chance in chances]


def chances_of_greatest(means: Sequence[float], deviations: Sequence[float]) -> list[float]:
    """P(i is greatest) for independent normal scores; they sum to 1. Two have a closed form.

    More by the quadrature of `chances_of_best`; deviations must be positive. A score that ends where another begins,
    both ten deviations from their means, has no chance.
    """
    scores = list(zip(means, deviations, strict=True))
    start = max((mean - _REACH * deviation for mean, deviation in scores), default=0.0)
    rivals = [i for i, (mean, deviation) in enumerate(scores) if mean + _REACH * deviation > start]
    chances = [0.0] * len(scores)
    for i, chance in zip(rivals, _chances_of_rivals([scores[i] for i in rivals]), strict=True):
        chances[i] = chance
    return chances


def _chances_of_rivals(scores: Sequence[tuple[float, float]]) -> list[float]:
    if len(scores) < 2:
        return [1.0] * len(scores)
    if len(scores) == 2:
        (mean, deviation), (other_mean, other_deviation) = scores
        z = (mean - other_mean) / hypot(deviation, other_deviation)
        return [erfc(-z / sqrt(2.0)) / 2.0, erfc(z / sqrt(2.0)) / 2.0]
    from scipy.special import ndtr

    middle, deviations = (np.array(column)[:, np.newaxis] for column in zip(*scores, strict=True))
    t, weights = _nodes(_edges(middle - _REACH * deviations, middle + _REACH * deviations))
    z = (t - middle) / deviations
    return _normalized(np.exp(-z * z / 2) / deviations, ndtr(z), weights)


def _normalized(densities: Array, below: Array, weights: Array) -> list[float]:
    chances = (densities * _products_of_others(below)) @ weights
    total = chances.sum()
    return [float(chance / total) for chance in chances]


def _range(a: Array, b: Array) -> tuple[Array, Array]:
    """The log odds between which each posterior counts."""
    from scipy.special import digamma, zeta  # imported late: processes that never draw need not load it

    middle, reach = digamma(a) - digamma(b), _REACH * np.sqrt(zeta(2, a) + zeta(2, b))
    return middle - reach, middle + reach


def _edges(low: Array, high: Array) -> Array:
    """Where to cut the log odds: the ends of what can be the greatest, and of narrow posteriors within.

    Of cuts that are close together only as many are kept as leave no part wider than the narrowest posterior.
    """
    start, end, width = low.max(), high.max(), high - low
    narrow = width < (end - start) / _NARROW
    cuts = np.concatenate([low[narrow], high[narrow]])
    ends = [*np.unique(cuts[(cuts > start) & (cuts < end)]), end]
    edges = [start]
    for cut, following in pairwise(ends):
        if following - edges[-1] > width.min():
            edges.append(cut)
    return np.array([*edges, end])


def _nodes(edges: Array) -> tuple[Array, Array]:
    nodes, weights = _legendre()
    centres, halves = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    return np.add.outer(centres, 0 * nodes).ravel() + np.outer(halves, nodes).ravel(), np.outer(halves, weights).ravel()


def _betas(a: Array, b: Array, t: Array) -> tuple[Array, Array]:
    """Density of the log odds, and distribution function, at t: one row for each Beta."""
    from scipy.special import betainc, betaln, expit

    log_density = -a * np.logaddexp(0, -t) - b * np.logaddexp(0, t) - betaln(a, b)
    return np.exp(log_density), betainc(a, b, expit(t))


def _products_of_others(rows: Array) -> Array:
    """Row i is the product of all rows but i, without a division."""
    before, after = np.ones_like(rows), np.ones_like(rows)
    np.cumprod(rows[:-1], axis=0, out=before[1:])
    after[:-1] = np.cumprod(rows[:0:-1], axis=0)[::-1]
    return before * after


@cache
def _legendre() -> tuple[Any, Any]:
    return np.polynomial.legendre.leggauss(_NODES)
