"""From sums to estimates: values, intervals, warnings, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from msgspec import Struct

from selector.replay import anytime, caveats
from selector.replay.bootstrap import FEW, Distribution, Resamples, Sums, distribution
from selector.replay.comparison import Always, differences, each_of
from selector.replay.errors import InvalidCandidate
from selector.replay.estimators import ESTIMATORS, Estimator
from selector.replay.evaluation import Estimate, Evaluation
from selector.replay.learning import Rejection
from selector.replay.survey import Survey
from selector.replay.tally import Readings, Tally, bounds_of

LOGGED = "(logged)"
"""The logging policy among the candidates."""
_LEARNING = ("blend", "dr", "dros", "sndr", "ips", "snips", "replay")  # valid where the candidate changes as it goes
_UNEVEN = 0.25  # how far from 1 the mean weight may be for the bootstrap to be trusted


class _Candidate(Struct, frozen=True):
    """One candidate's sums by group, their resampled totals, and the interval that holds at any time."""

    name: str
    tally: Tally
    sums: Sums
    totals: Sums
    always: anytime.Interval
    uncovered: float
    learner: Rejection | None

    def distribution(self, name: str) -> Distribution:
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


def judge(
    survey: Survey,
    readings: Readings,
    names: Sequence[str],
    confidence: float,
    seed: int,
    learners: Mapping[str, Rejection],
) -> Evaluation:
    """All estimates, in the order of `names` for each candidate."""
    candidates = _candidates(readings, learners, seed, survey, confidence)
    some = candidates[0]
    logged = distribution(Estimator("rewards").value, some.sums, some.totals)
    rows, best, doubtful = [], {}, set[str]()
    for candidate in candidates:
        applicable = _applicable(candidate, names)
        best[candidate.name] = candidate.around(applicable[0])
        if candidate.uncovered > 0 or not candidate.trusted(applicable[0]):
            doubtful.add(candidate.name)
        needed = caveats.more_decisions(best[candidate.name], logged, survey, confidence)
        rows += [_estimate(candidate, name, survey, confidence, needed) for name in applicable]
    what = _logged(logged, _anytime_of_logged(some.tally, survey, confidence), survey.decisions, confidence)
    pairs = differences({**best, LOGGED: logged}, _always_apart(candidates, survey), confidence, doubtful)
    return Evaluation(rows, what, pairs, survey, readings)


def _always_apart(candidates: Sequence[_Candidate], survey: Survey) -> Always:
    tallies = {candidate.name: candidate.tally for candidate in candidates}

    @cache
    def one(name: str, confidence: float) -> anytime.Interval:
        if name == LOGGED:
            return _anytime_of_logged(candidates[0].tally, survey, confidence)
        return _anytime(tallies[name], survey, confidence)

    def apart(a: str, b: str, confidence: float) -> anytime.Interval:
        own, other = (one(name, each_of(2, confidence)) for name in (a, b))
        return own[0] - other[1], own[1] - other[0]

    return apart


def _logged(known: Distribution, always: anytime.Interval, decisions: int, confidence: float) -> Estimate:
    usual = known.interval(confidence)
    low, high = usual if known.trusted else anytime.hull(usual, always)
    return Estimate(
        candidate=LOGGED,
        estimator="mean",
        value=known.value,
        low=low,
        high=high,
        effective_sample_size=float(decisions),
        interval="bootstrap" if known.trusted else "anytime",
        standard_error=known.error,
        bootstrap_low=usual[0],
        bootstrap_high=usual[1],
        anytime_low=always[0],
        anytime_high=always[1],
        decisions=decisions,
    )


def _candidates(
    readings: Readings, learners: Mapping[str, Rejection], seed: int, survey: Survey, confidence: float
) -> list[_Candidate]:
    found: list[_Candidate] = []
    resamples: Resamples | None = None
    missing = [*survey.uncovered.tolist(), *[0.0] * len(learners)]
    for (name, tally), uncovered in zip(readings.tallies.items(), missing, strict=True):
        sums = tally.grouped()
        resamples = resamples or Resamples(len(sums["decisions"]), seed)
        always = _anytime(tally, survey, confidence)
        totals = resamples.totals(sums)
        found.append(_Candidate(name, tally, sums, totals, always, uncovered, learners.get(name)))
    return found


def _applicable(candidate: _Candidate, names: Sequence[str]) -> list[str]:
    if candidate.learner is None:
        return list(names)
    valid = [name for name in names if name in _LEARNING]
    if not valid:
        raise InvalidCandidate(f"candidate {candidate.name!r} learns; estimators for that: {', '.join(_LEARNING)}")
    return valid


def _estimate(
    candidate: _Candidate, name: str, survey: Survey, confidence: float, needed: tuple[int | None, str]
) -> Estimate:
    tally, learner = candidate.tally, candidate.learner
    known = candidate.distribution(name)
    counterpart = candidate.distribution(ESTIMATORS[name].interval_of or name)
    always = candidate.always
    usual = _around(known.value, counterpart.interval(confidence), candidate.uncovered, bounds_of(survey))
    trusted = candidate.trusted(name)
    low, high = usual if trusted else anytime.hull(usual, always)
    return Estimate(
        candidate=candidate.name,
        estimator=name,
        value=known.value,
        low=low,
        high=high,
        effective_sample_size=candidate.effective(name),
        warnings=_warnings(candidate, name, survey, needed[1], trusted=trusted),
        interval="bootstrap" if trusted else "anytime",
        standard_error=counterpart.error,
        bootstrap_low=usual[0],
        bootstrap_high=usual[1],
        anytime_low=always[0],
        anytime_high=always[1],
        evaluated="stationary" if learner is None else "learning",
        decisions=survey.decisions if learner is None else learner.accepted,
        largest_weight=tally.largest_weight,
        uncovered=candidate.uncovered,
        more_decisions=None if candidate.uncovered > 0 else needed[0],
    )


def _around(value: float, interval: anytime.Interval, uncovered: float, bounds: anytime.Interval) -> anytime.Interval:
    """The part of an interval that is within the range of rewards, and the value.

    What the `uncovered` share of choices brings can be anything in that range: the interval is so much wider.
    """
    bottom, top = bounds
    low, high = (min(max(end, bottom), top) for end in interval)
    unknown = uncovered * (top - bottom)
    return min(max(low - unknown, bottom), value), max(min(high + unknown, top), value)


def _anytime_of_logged(tally: Tally, survey: Survey, confidence: float) -> anytime.Interval:
    bottom, top = bounds_of(survey)
    total = (tally.total("rewards") - survey.decisions * bottom) / (top - bottom)
    low, high = anytime.of_total(total, survey.decisions, confidence)
    return bottom + (top - bottom) * low, bottom + (top - bottom) * high


def _anytime(tally: Tally, survey: Survey, confidence: float) -> anytime.Interval:
    bottom, top = bounds_of(survey)
    low, high = tally.always.interval(confidence)
    return bottom + (top - bottom) * low, bottom + (top - bottom) * high


def _warnings(candidate: _Candidate, name: str, survey: Survey, needed: str, *, trusted: bool) -> tuple[str, ...]:
    said = caveats.about_log(survey) + caveats.about_candidate(candidate.tally, survey, candidate.uncovered)
    if name == "replay":
        said += caveats.about_replay(candidate.tally, survey, learns=candidate.learner is not None)
    if candidate.learner is not None:
        said.append(f"it learns: from {candidate.learner.accepted} decisions, those that it might have made itself")
    if not trusted:
        said.append(anytime.UNTRUSTED)
    if needed and candidate.uncovered == 0:
        said.append(needed)
    return tuple(said)
