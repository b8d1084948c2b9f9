"""What a reader must know before believing an estimate."""

from __future__ import annotations

from math import ceil, isfinite

from selector.replay import norm
from selector.replay.bootstrap import Distribution
from selector.replay.survey import Survey
from selector.replay.tally import Tally

FEW = 100
"""Effective decisions below which an estimate is called weak."""
_HEAVY = 0.05  # a share of all weight that one decision may have
_RESOLUTION = 0.05  # the smallest difference that one wants to find, of what the logging policy could lose
_SUSPECT = 1e-4  # chance of weights so far from a mean of one


def about_log(survey: Survey) -> list[str]:
    """What is wrong with the log, whoever the candidate."""
    said = []
    low, high = survey.rewards
    if low < 0 or high > 1:
        said.append(f"rewards lie in [{low:g}, {high:g}]: intervals that hold at any time take this for their range")
    if survey.miscalibrated:
        said.append(
            f"the logged probabilities are not those by which choices were made (p = {survey.calibration():.1g}): "
            "estimates that use them are biased"
        )
    return said


def about_candidate(tally: Tally, survey: Survey, uncovered: float) -> list[str]:
    """What is wrong with its weights."""
    said = []
    if uncovered > 0:
        never = ", ".join(survey.never_chosen[:5]) + (", ..." if len(survey.never_chosen) > 5 else "")
        said.append(f"{uncovered:.1%} of its choices are never made in the log ({never}): of these it says nothing")
    n, mean = survey.decisions, tally.total("weights") / survey.decisions
    variance = max(tally.total("squares") / n - mean**2, 0.0) / n
    if uncovered == 0 and variance > 0 and norm.sf(abs(mean - 1) / variance**0.5) < _SUSPECT / 2:
        said.append(
            f"its weights have mean {mean:.3f} and should have 1: some of its choices are impossible in the log, "
            "or logged probabilities are wrong"
        )
    if effective(tally) < FEW:
        said.append(f"its effective sample size is {effective(tally):.0f}: the log is nearly silent about it")
    elif tally.largest_weight > _HEAVY * tally.total("weights"):
        share = tally.largest_weight / tally.total("weights")
        said.append(f"one decision has {share:.0%} of all weight")
    return said


def about_replay(tally: Tally, survey: Survey, *, learns: bool) -> list[str]:
    """How rejection sampling was corrected where choices were not uniform."""
    if survey.uniform or learns:
        return []
    sums = tally.total("matched_reward"), tally.total("matched")
    plain = f" ({sums[0] / sums[1]:.5f} here)" if sums[1] else ""
    told = f"the log is not uniform, so that the mean reward of matching decisions{plain} is biased: "
    return [told + "rows are kept with chance w / max w instead"]


def effective(tally: Tally) -> float:
    """(sum w)^2 / sum w^2: how many decisions of its own the log is worth to the candidate (Kong 1992)."""
    squares = tally.total("squares")
    return tally.total("weights") ** 2 / squares if squares > 0 else 0.0


def more_decisions(
    own: Distribution, logged: Distribution, survey: Survey, confidence: float
) -> tuple[int | None, str]:
    """How many more would tell a difference as large as the estimated one, or as one wants to find; and in words.

    0 and "" if it can be told already, None if no number would. The error of the difference falls with the root of the
    number of decisions.
    """
    z = float(norm.ppf((1 + confidence) / 2))
    away = own.jackknifed - logged.jackknifed
    g = len(away)
    error = float(((g - 1) / g * ((away - away.mean()) ** 2).sum()) ** 0.5)
    difference = abs(own.value - logged.value)
    if not isfinite(difference):
        return None, "the log has none of its choices: no number of decisions like these would tell its value"
    if z * error < difference:
        return 0, ""
    low, high = min(0.0, survey.rewards[0]), max(1.0, survey.rewards[1])
    least = _RESOLUTION * max(min(logged.value - low, high - logged.value), 1e-3 * (high - low))
    wanted = max(difference, least)
    needed = ceil(survey.decisions * ((z * error / wanted) ** 2 - 1))
    if needed <= 0:
        return 0, f"if it differs from the logging policy at all, then by less than {least:.2g}"
    return needed, (
        f"the log cannot tell it from the logging policy: about {needed:,} more decisions would tell a difference of "
        f"{wanted:.2g}"
    )
