"""Which of several candidates is better: paired differences that all hold at once."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import isfinite

import numpy as np

from selector.replay.bootstrap import Distribution
from selector.replay.evaluation import Difference
from selector.replay.logged import Floats


def differences(known: Mapping[str, Distribution], confidence: float) -> list[Difference]:
    """Of every pair, the better first, with simultaneous intervals.

    Resamples are the same for all, so that differences are paired; the margin is the quantile of the greatest
    studentized difference of all pairs (Westfall & Young 1993, single step), at least the normal's.
    """
    pairs = list(combinations([name for name, each in known.items() if isfinite(each.value)], 2))
    away = [known[a].resampled - known[b].resampled - (known[a].value - known[b].value) for a, b in pairs]
    errors = [_error(known[a].jackknifed - known[b].jackknifed) for a, b in pairs]
    margin = _margin(away, errors, confidence)
    found = []
    for (a, b), error in zip(pairs, errors, strict=True):
        value, half = known[a].value - known[b].value, margin * error
        better, worse = (a, b) if value >= 0 else (b, a)
        found.append(Difference(better, worse, abs(value), abs(value) - half, abs(value) + half))
    return sorted(found, key=lambda difference: -difference.value)


def _margin(away: list[Floats], errors: list[float], confidence: float) -> float:
    studentized = [np.abs(d) / e for d, e in zip(away, errors, strict=True) if e > 0]
    if not studentized:
        return 0.0
    return float(np.nanquantile(np.max(studentized, axis=0), confidence))


def _error(jackknifed: Floats) -> float:
    g = len(jackknifed)
    return float(np.sqrt((g - 1) / g * np.sum((jackknifed - jackknifed.mean()) ** 2)))
