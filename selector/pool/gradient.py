"""Weights that learn by gradient, each with a step size of its own, and the softmax that they serve."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, sqrt

Weight = list[float]
"""[value, sum of squared gradients]"""

NEGLIGIBLE = 0.003
"""Residuals below it teach nothing worth the time."""


def step(weight: Weight, gradient: float, rate: float) -> None:
    """One step uphill, in place: AdaGrad (Duchi, Hazan, Singer: Adaptive subgradient methods, JMLR 2011)."""
    weight[1] = squares = weight[1] + gradient * gradient
    weight[0] += rate * gradient / sqrt(squares)


def differences(truth: Sequence[float], claim: Sequence[float]) -> list[float]:
    """What is known less what was claimed, of each outcome."""
    residuals = []
    for o, chance in enumerate(claim):
        residuals.append(truth[o] - chance)
    return residuals


def softmax(scores: Sequence[float]) -> list[float]:
    """exp(z) / sum(exp(z)); none is 0."""
    least, odds, total = max(scores) - 30.0, [], 0.0
    for score in scores:
        odd = exp(score - least) if score > least else 1.0
        odds.append(odd)
        total += odd
    for i, odd in enumerate(odds):
        odds[i] = odd / total
    return odds
