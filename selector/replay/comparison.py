"""Which of several candidates is better: paired differences that all hold at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from math import isfinite

import numpy as np

from selector.replay import norm
from selector.replay.anytime import Interval
from selector.replay.bootstrap import FEW, Distribution
from selector.replay.evaluation import Difference


def differences(
    known: Mapping[str, Distribution],
    always: Mapping[str, Interval],
    confidence: float,
    doubtful: Collection[str] = (),
) -> list[Difference]:
    """Of every pair, the better first, with simultaneous intervals.

    Resamples are the same for all, so that differences are paired; the margin is the quantile of the greatest
    studentized difference of all pairs (Westfall & Young 1993, single step), at least the normal's. Where that cannot
    be trusted, for one of the two is `doubtful` or the difference comes from few groups, it is as wide as the intervals
    that `always` hold, at the confidence of `each_of`, leave it.
    """
    pairs = list(combinations([name for name, each in known.items() if isfinite(each.value)], 2))
    apart = [_apart(known[a], known[b]) for a, b in pairs]
    margin = _margin(apart, confidence)
    found = []
    for (a, b), each in zip(pairs, apart, strict=True):
        low, high = each.value - margin * each.error, each.value + margin * each.error
        if a in doubtful or b in doubtful or not _told(each):
            low, high = min(low, always[a][0] - always[b][1]), max(high, always[a][1] - always[b][0])
        ends = (a, b, each.value, low, high) if each.value >= 0 else (b, a, -each.value, -high, -low)
        found.append(Difference(*ends))
    return sorted(found, key=lambda difference: -difference.value)


def each_of(policies: int, confidence: float) -> float:
    """The confidence with which each of several intervals must hold, for all to do so at once (Bonferroni)."""
    return 1.0 - (1.0 - confidence) / policies


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
