"""Intervals around a number that hold the truth as often as they say, whatever comes."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from math import ceil
from typing import Annotated

from msgspec import Meta, Struct

from selector.decisions import Label

_WINDOW = 500  # residuals that are remembered
_STEP = 0.01  # gamma of the paper: how fast the level follows misses
_FAR = 10.0  # a residual counts for at most so many mean ones: one wild label shall not widen all that follow


class Residuals(Struct, array_like=True):
    """How far answers were from the truth, of late.

    `recent` are the last relative residuals, the oldest at `oldest` once they are `_WINDOW`; `ordered` are the same,
    sorted. `scale` is the mean residual, of which wild ones count for a part. `level` is the miscoverage that intervals
    aim at now (alpha_t of the paper); None until the first label.
    """

    recent: list[float] = []
    oldest: int = 0
    ordered: list[float] = []
    scale: float = 0.0
    level: float | None = None


class Interval(Struct, frozen=True, kw_only=True):
    """Holds the truth in a share `coverage` of all answers: over T labels within (1 + gamma) / (gamma T), gamma = .01.

    Adaptive conformal inference: the interval is the answer and a quantile of the last 500 residuals to both sides, of
    a level that a miss lowers and a hit raises, so that the share comes out for any sequence. Residuals are relative to
    the mean residual and the models' mean distance from the answer: where models disagree the interval is wider.

    Gibbs, Candes: Adaptive conformal inference under distribution shift (NeurIPS 2021), eq. 2.
    """

    coverage: Annotated[float, Meta(gt=0, lt=1)]

    def around(self, residuals: Residuals, output: float, outputs: Iterable[Label]) -> tuple[float, float] | None:
        """Low and high around an answer combined from `outputs`; None as long as nothing so narrow can be said."""
        n = len(residuals.ordered)
        level = 1.0 - self.coverage if residuals.level is None else residuals.level
        rank = max(1, ceil((n + 1) * (1.0 - level)))
        if rank > n:
            return None
        reach = residuals.ordered[rank - 1] * _unit(residuals, output, outputs)
        return output - reach, output + reach

    def observe(
        self,
        residuals: Residuals,
        output: float,
        outputs: Iterable[Label],
        interval: tuple[float, float] | None,
        label: float,
    ) -> None:
        """One label, in place, with the interval that was given at the time: without one, nothing was claimed."""
        alpha = 1.0 - self.coverage
        missed = interval is not None and not interval[0] <= label <= interval[1]
        level = alpha if residuals.level is None else residuals.level
        residuals.level = level + _STEP * (alpha - missed)
        residual = abs(label - output)
        if residuals.scale == 0.0:
            residuals.scale = residual
        unit = _unit(residuals, output, outputs)
        _remember(residuals, residual / unit if unit > 0.0 else 0.0)
        residuals.scale += (min(residual, _FAR * residuals.scale) - residuals.scale) / len(residuals.recent)


def _unit(residuals: Residuals, output: float, outputs: Iterable[Label]) -> float:
    distances = [abs(float(other) - output) for other in outputs if not isinstance(other, str)]
    return residuals.scale + sum(distances) / max(1, len(distances))


def _remember(residuals: Residuals, score: float) -> None:
    recent, ordered = residuals.recent, residuals.ordered
    if len(recent) < _WINDOW:
        recent.append(score)
    else:
        del ordered[bisect_left(ordered, recent[residuals.oldest])]
        recent[residuals.oldest] = score
        residuals.oldest = (residuals.oldest + 1) % _WINDOW
    insort(ordered, score)
