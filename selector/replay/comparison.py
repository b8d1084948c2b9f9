"""Which of several candidates is better: paired differences that all hold at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import combinations
from math import isfinite

import numpy as np

from selector.replay import norm
from selector.replay.anytime import Interval, hull
from selector.replay.bootstrap import FEW, Distribution
from selector.replay.evaluation import Difference

Always = Callable[[str, str, float], Interval]
"""How much better the first policy is than the second, with a confidence, at any time."""


def differences(
    known: Mapping[str, Distribution], always: Always, confidence: float, doubtful: Collection[str] = ()
) -> list[Difference]:
    """Of every pair, the better first, with simultaneous intervals.

    Resamples are the same for all, so that differences are paired; the margin is the quantile of the greatest
    studentized difference of all pairs (Westfall & Young 1993, single step), at least the normal's. Where that cannot
    be trusted, for one of the two is `doubtful` or the difference comes from few groups, the interval covers the one
    that is `always` valid too.
    """
    pairs = list(combinations([name for name, each in known.items() if isfinite(each.value)], 2))
    apart = [_apart(known[a], known[b]) for a, b in pairs]
    margin = _margin(apart, confidence)
    found = []
    for (a, b), each in zip(pairs, apart, strict=True):
        low, high = each.value - margin * each.error, each.value + margin * each.error
        if a in doubtful or b in doubtful or not _told(each):
            low, high = hull((low, high), always(a, b, each_of(len(pairs), confidence)))
        ends = (a, b, each.value, low, high) if each.value >= 0 else (b, a, -each.value, -high, -low)
        found.append(Difference(*ends))
    return sorted(found, key=lambda difference: -difference.value)


def each_of(intervals: int, confidence: float) -> float:
    """The confidence with which each of several intervals must hold, for all to do so at once (Bonferroni)."""
    return 1.0 - (1.0 - confidence) / intervals


def _apart(a: Distribution, b: Distribution) -> Distribution:
    return Distribution(a.value - b.value, a.resampled - b.resampled, a.jackknifed - b.jackknifed)


def _told(difference: Distribution) -> bool:
    """Whether the bootstrap can tell it; that two who agree on all of many decisions are alike, it can."""
    alike = len(difference.jackknifed) >= FEW and difference.value == 0.0 == difference.error
    return difference.trusted or alike


def _margin(apart: Sequence[Distribution], confidence: float) -> float:
    least = float(norm.ppf((1.0 + confidence) / 2.0))
    studentized = [np.abs(each.resampled - each.value) / each.error for each in apart if each.error > 0]
    if not studentized:
        return least
    return max(least, float(np.nanquantile(np.max(studentized, axis=0), confidence)))
