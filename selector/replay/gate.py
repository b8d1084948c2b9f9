"""The gate: whether what a replay found is enough to change the policy."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from msgspec import Struct

from selector.replay.contender import LOGGED
from selector.replay.evaluation import Difference, Estimate, Evaluation

UNTOLD = "the log does not tell the outcome of all its decisions"


class Ruling(Struct, frozen=True, kw_only=True):
    """`adopt` is the candidate to be adopted, or None; `reasons` say why, and why no other, by candidate.

    `current` is the mean reward of the policy that decides now; a candidate must beat that by `margin`.
    """

    adopt: str | None
    current: float
    margin: float
    reasons: dict[str, str]


def rule(evaluation: Evaluation, margin: float) -> Ruling:
    """Adopt the candidate with the highest lower bound, if that beats the current policy's estimate by `margin`.

    So must the lower bound of their difference, which is paired, allows for the noise in what the current policy
    got, and holds for all candidates at once: however many are tried, a worse one passes no more often than the
    confidence allows. Whoever asks again and again takes that risk each time. A candidate whose value the log cannot
    know never passes.
    """
    current = evaluation.logged.value
    reasons = {row.candidate: _reason(row, evaluation, margin) for row in evaluation.best}
    passed = [row for row in evaluation.best if not reasons[row.candidate]]
    best = max(passed, key=lambda row: row.low, default=None)
    for row in passed:
        reasons[row.candidate] = f"its lower bound, {row.low:.4f}, beats the current {current:.4f} by {margin:g}"
    return Ruling(adopt=None if best is None else best.candidate, current=current, margin=margin, reasons=reasons)


def _reason(row: Estimate, evaluation: Evaluation, margin: float) -> str:
    """Why not; empty if nothing stands against it."""
    wanted = f"the current {evaluation.logged.value:.4f} by {margin:g}"
    pair = _difference(row.candidate, evaluation.differences)
    if evaluation.survey is not None and evaluation.survey.miscalibrated:
        return "the logged probabilities are not those by which choices were made"
    if row.uncovered > 0:
        return f"{row.uncovered:.1%} of its choices are never made in the log"
    if pair is None or not isfinite(row.value):
        return UNTOLD
    if not row.low > evaluation.logged.value + margin:
        return f"its lower bound, {row.low:.4f}, does not beat {wanted}"
    if not pair > margin:
        return f"the lower bound of their difference, {pair:.4f}, is not above {margin:g}"
    return ""


def _difference(candidate: str, differences: Iterable[Difference]) -> float | None:
    """The lower bound of what a candidate gains over the current policy; None where that is unknown."""
    for pair in differences:
        if {pair.better, pair.worse} == {candidate, LOGGED}:
            return pair.low if pair.better == candidate else -pair.high
    return None
