"""From sums to estimates: values, intervals, warnings, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from selector.replay import anytime, caveats
from selector.replay.bootstrap import Distribution, distribution
from selector.replay.comparison import differences
from selector.replay.contender import LOGGED, Contender, always_apart, anytime_of_logged, contenders
from selector.replay.errors import InvalidCandidate
from selector.replay.estimators import ESTIMATORS, Estimator
from selector.replay.evaluation import Estimate, Evaluation
from selector.replay.learning import Rejection
from selector.replay.survey import Survey
from selector.replay.tally import Readings, bounds_of

_LEARNING = ("blend", "dr", "dros", "sndr", "ips", "snips", "replay")  # valid where the candidate changes as it goes


def judge(
    survey: Survey,
    readings: Readings,
    names: Sequence[str],
    confidence: float,
    seed: int,
    learners: Mapping[str, Rejection],
) -> Evaluation:
    """All estimates, in the order of `names` for each candidate."""
    candidates = contenders(readings, learners, seed, survey, confidence)
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
    what = _logged(logged, anytime_of_logged(some.tally, survey, confidence), survey.decisions, confidence)
    pairs = differences({**best, LOGGED: logged}, always_apart(candidates, survey), confidence, doubtful)
    return Evaluation(rows, what, pairs, survey, readings)


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


def _applicable(candidate: Contender, names: Sequence[str]) -> list[str]:
    if candidate.learner is None:
        return list(names)
    valid = [name for name in names if name in _LEARNING]
    if not valid:
        raise InvalidCandidate(f"candidate {candidate.name!r} learns; estimators for that: {', '.join(_LEARNING)}")
    return valid


def _estimate(
    candidate: Contender, name: str, survey: Survey, confidence: float, needed: tuple[int | None, str]
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


def _warnings(candidate: Contender, name: str, survey: Survey, needed: str, *, trusted: bool) -> tuple[str, ...]:
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
