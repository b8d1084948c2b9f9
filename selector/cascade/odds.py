"""Probabilities as log odds."""

from __future__ import annotations

from math import exp, log


def log_odds(p: float) -> float:
    """log(p / (1 - p)), of probabilities not too near to 0 or 1."""
    p = min(max(p, 1e-4), 1.0 - 1e-4)
    return log(p / (1.0 - p))


def logistic(x: float) -> float:
    """The inverse of `log_odds`."""
    return 1.0 / (1.0 + exp(-max(min(x, 30.0), -30.0)))
