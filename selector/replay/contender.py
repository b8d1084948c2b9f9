"""A candidate as it stands when the log has been read: what each estimator says of it, and whether to believe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from msgspec import Struct

from selector.replay import anytime, caveats
from selector.replay.bootstrap import FEW, Distribution, Resamples, Sums, distribution
from selector.replay.comparison import Always, each_of
from selector.replay.estimators import ESTIMATORS
from selector.replay.learning import Rejection
from selector.replay.survey import Survey
from selector.replay.tally import Readings, Tally, bounds_of

LOGGED = "(logged)"
"""The logging policy among the candidates."""
_UNEVEN = 0.25  # how far from 1 the mean weight may be for the bootstrap to be trusted


class Contender(Struct, frozen=True):
    """One candidate's sums by group, their resampled totals, and the interval that holds at any time."""

    name: str
    tally: Tally
    sums: Sums
    totals: Sums
    always: anytime.Interval
    uncovered: float
    learner: Rejection | None

    def distribution(self, name: str) -> Distribution:
        """What an estimator says."""
        return distribution(ESTIMATORS[name].value, self.sums, self.totals)

    def effective(self, name: str) -> float:
        """Effective sample size."""
        return self.tally.total("accepted") if name == "replay" else caveats.effective(self.tally)

    def trusted(self, name: str) -> bool:
        """Whether the bootstrap can be: not with few effective decisions, nor where weights are far from their mean of
        1, so that heavy ones must be missing from the sample, or be too many.
        """
        even = abs(self.tally.total("weights") / self.tally.total("decisions") - 1.0) <= _UNEVEN
        known = self.distribution(ESTIMATORS[name].interval_of or name)
        return known.trusted and even and min(self.effective(name), caveats.effective(self.tally)) >= FEW

    def around(self, name: str) -> Distribution:
        """An estimator's value with the spread of the one whose interval it has."""
        known, other = self.distribution(name), ESTIMATORS[name].interval_of
        if other is None:
            return known
        spread = self.distribution(other)
        shift = known.value - spread.value
        return Distribution(known.value, spread.resampled + shift, spread.jackknifed + shift)


def contenders(
    readings: Readings, learners: Mapping[str, Rejection], seed: int, survey: Survey, confidence: float
) -> list[Contender]:
    """All of them, those of the source first, resampled alike."""
    found: list[Contender] = []
    resamples: Resamples | None = None
    missing = [*survey.uncovered.tolist(), *[0.0] * len(learners)]
    for (name, tally), uncovered in zip(readings.tallies.items(), missing, strict=True):
        sums = tally.grouped()
        resamples = resamples or Resamples(len(sums["decisions"]), seed)
        always = _anytime(tally, survey, confidence)
        totals = resamples.totals(sums)
        found.append(Contender(name, tally, sums, totals, always, uncovered, learners.get(name)))
    return found


def always_apart(candidates: Sequence[Contender], survey: Survey) -> Always:
    """How far any two of them, or one and what was logged, are apart: as far as their own intervals are."""
    tallies = {candidate.name: candidate.tally for candidate in candidates}

    @cache
    def one(name: str, confidence: float) -> anytime.Interval:
        if name == LOGGED:
            return anytime_of_logged(candidates[0].tally, survey, confidence)
        return _anytime(tallies[name], survey, confidence)

    def apart(a: str, b: str, confidence: float) -> anytime.Interval:
        own, other = (one(name, each_of(2, confidence)) for name in (a, b))
        return own[0] - other[1], own[1] - other[0]

    return apart


def anytime_of_logged(tally: Tally, survey: Survey, confidence: float) -> anytime.Interval:
    """Around the mean reward that was logged, which anybody's tally has."""
    bottom, top = bounds_of(survey)
    total = (tally.total("rewards") - survey.decisions * bottom) / (top - bottom)
    low, high = anytime.of_total(total, survey.decisions, confidence)
    return bottom + (top - bottom) * low, bottom + (top - bottom) * high


def _anytime(tally: Tally, survey: Survey, confidence: float) -> anytime.Interval:
    bottom, top = bounds_of(survey)
    low, high = tally.always.interval(confidence)
    return bottom + (top - bottom) * low, bottom + (top - bottom) * high
