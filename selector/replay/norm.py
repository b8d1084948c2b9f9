"""The standard normal distribution, elementwise. That of `scipy.stats` takes a second to import: so long a start waits.

`scipy.special` takes a fifth of one, when it is first needed.
"""

from __future__ import annotations

from typing import Any


def ppf(level: Any) -> Any:
    """The quantiles at levels in (0, 1)."""
    from scipy.special import ndtri

    return ndtri(level)


def cdf(x: Any) -> Any:
    """The probabilities of at most x."""
    from scipy.special import ndtr

    return ndtr(x)


def sf(x: Any) -> Any:
    """The probabilities of more than x."""
    return cdf(-x)
