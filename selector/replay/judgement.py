"""From sums to estimates: values, intervals, warnings, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from selector.replay import anytime, caveats
from selector.replay.bootstrap import FEW, Distribution, Resamples, Sums, distribution
from selector.replay.comparison import differences
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
    always: tuple[float, float]
    index: int
    learner: Rejection | None

    def distribution(self, name: str) -> Distribution:
        return distribution(ESTIMATORS[name].value, self.sums, self.totals)

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
    rows, best = [], {}
    for candidate in candidates:
        applicable = _applicable(candidate, names)
        best[candidate.name] = candidate.around(applicable[0])
        needed = caveats.more_decisions(best[candidate.name], logged, survey, confidence)
        rows += [_estimate(candidate, name, survey, confidence, needed) for name in applicable]
    low, high = logged.interval(confidence)
    what = Estimate(
        candidate=LOGGED,
        estimator="mean",
        value=logged.value,
        low=low,
        high=high,
        effective_sample_size=float(survey.decisions),
        standard_error=logged.error,
        decisions=survey.decisions,
    )
    pairs = differences({**best, LOGGED: logged}, confidence)
    return Evaluation(rows, what, pairs, survey, readings)


def _candidates(
    readings: Readings, learners: Mapping[str, Rejection], seed: int, survey: Survey, confidence: float
) -> list[_Candidate]:
    found: list[_Candidate] = []
    resamples: Resamples | None = None
    for index, (name, tally) in enumerate(readings.tallies.items()):
        sums = tally.grouped()
        resamples = resamples or Resamples(len(sums["decisions"]), seed)
        always = _anytime(tally, survey, confidence)
        found.append(_Candidate(name, tally, sums, resamples.totals(sums), always, index, learners.get(name)))
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
    uncovered = 0.0 if learner is not None else float(survey.uncovered[candidate.index])
    effective = tally.total("accepted") if name == "replay" else caveats.effective(tally)
    known = candidate.distribution(name)
    counterpart = candidate.distribution(ESTIMATORS[name].interval_of or name)
    always = candidate.always
    usual = _around(known.value, counterpart.interval(confidence), bounds_of(survey))
    trusted = _trusted(counterpart, tally, effective)
    low, high = usual if trusted else anytime.hull(usual, always)
    return Estimate(
        candidate=candidate.name,
        estimator=name,
        value=known.value,
        low=low,
        high=high,
        effective_sample_size=effective,
        warnings=_warnings(candidate, name, survey, uncovered, needed[1], trusted=trusted),
        interval="bootstrap" if trusted else "anytime",
        standard_error=counterpart.error,
        bootstrap_low=usual[0],
        bootstrap_high=usual[1],
        anytime_low=always[0],
        anytime_high=always[1],
        evaluated="stationary" if learner is None else "learning",
        decisions=survey.decisions if learner is None else learner.accepted,
        largest_weight=tally.largest_weight,
        uncovered=uncovered,
        more_decisions=None if uncovered > 0 else needed[0],
    )


def _around(value: float, interval: tuple[float, float], bounds: tuple[float, float]) -> tuple[float, float]:
    """The part of an interval that is within the range of rewards, and the value."""
    low, high = (min(max(end, bounds[0]), bounds[1]) for end in interval)
    return min(low, value), max(high, value)


def _trusted(known: Distribution, tally: Tally, effective: float) -> bool:
    """Whether the bootstrap can be: not with few effective decisions, nor where weights are far from their mean of 1,
    so that heavy ones must be missing from the sample, or be too many.
    """
    even = abs(tally.total("weights") / tally.total("decisions") - 1.0) <= _UNEVEN
    return known.trusted and even and min(effective, caveats.effective(tally)) >= FEW


def _anytime(tally: Tally, survey: Survey, confidence: float) -> tuple[float, float]:
    bottom, top = bounds_of(survey)
    low, high = tally.always.interval(confidence)
    return bottom + (top - bottom) * low, bottom + (top - bottom) * high


def _warnings(
    candidate: _Candidate, name: str, survey: Survey, uncovered: float, needed: str, *, trusted: bool
) -> tuple[str, ...]:
    said = caveats.about_log(survey) + caveats.about_candidate(candidate.tally, survey, uncovered)
    if name == "replay":
        said += caveats.about_replay(candidate.tally, survey, learns=candidate.learner is not None)
    if candidate.learner is not None:
        said.append(f"it learns: from {candidate.learner.accepted} decisions, those that it might have made itself")
    if not trusted:
        said.append(anytime.UNTRUSTED)
    if needed and uncovered == 0:
        said.append(needed)
    return tuple(said)
