"""Results of a replay: what was evaluated, on what, with which settings, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from msgspec import Struct, to_builtins

from selector.replay import Difference, Estimate, Evaluation
from selector.replay.contender import LOGGED
from selector.replay.models import MeanReward

SEGMENTS = 20
"""Segments that are shown to people, the largest."""


class Settings(Struct, frozen=True, kw_only=True):
    """All that is needed to get the same results again; `first` and `last` are the times of decisions, where known."""

    log: str
    decisions: int
    first: str | None = None
    last: str | None = None
    mapping: dict[str, Any] = {}
    candidates: dict[str, str] = {}
    estimators: tuple[str, ...] = ()
    by: str | None = None
    confidence: float = 0.95
    seed: int = 0
    version: str = ""


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a policy on an application's log, a decision: mean reward, models asked, their cost, shares.

    `unknown` is the share whose reward the log does not tell; `sure` and `default` are of the answers that it tells.
    `latency_ms` is the mean and the 95th percentile, `regret` against the best single model in hindsight, both None
    where the log does not tell; `state` is the digest of what it knows at the end, `curve`
    pairs of decisions and mean reward so far.
    """

    reward: float
    regret: float | None
    models_asked: float
    cost: float
    sure: float
    default: float
    unknown: float
    latency_ms: tuple[float, float] | None = None
    state: str | None = None
    curve: list[tuple[int, float]] = []
    segments: dict[str, MeanReward] = {}


class Results(Struct, frozen=True, kw_only=True):
    """An evaluation, and where the log was cut by a column one for each of the largest segments, but `smaller` ones.

    After exact replay: `outcomes` by candidate, what each of the `models` alone would have got, and the best for
    each query (`oracle`), and `partial`, the estimates
    for candidates of whose choices the log does not tell all. `gate` is what `serving.replaying.gate.describe` says,
    and whether a policy was `adopted`.
    """

    settings: Settings
    whole: Evaluation
    segments: dict[str, Evaluation] = {}
    smaller: int = 0
    partial: Evaluation | None = None
    outcomes: dict[str, Outcome] = {}
    models: dict[str, MeanReward] = {}
    oracle: MeanReward | None = None
    verdict: str = ""
    gate: dict[str, Any] | None = None


def hindsight(results: Results) -> dict[str, MeanReward]:
    """What the log tells of each model alone, and of the best each time, by what people call them."""
    alone = {f"{name} alone": mean for name, mean in results.models.items()}
    return alone if results.oracle is None else {**alone, "the best of them each time": results.oracle}


def errors_by_segment(results: Results, policies: Sequence[str]) -> tuple[list[list[str]], int]:
    """Of each of the largest segments its name, decisions and the error of each policy; how many more there are."""
    segments = [results.outcomes[name].segments for name in policies]
    sizes = {name: mean.decisions for name, mean in results.outcomes[LOGGED].segments.items()}
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:SEGMENTS]
    errors = ([f"{1 - each[name].reward:.4f}" if name in each else "" for each in segments] for name in largest)
    rows = [[name, f"{sizes[name]:,}", *row] for name, row in zip(largest, errors, strict=True)]
    return rows, len(sizes) - len(largest)


def verdict(evaluation: Evaluation, confidence: float) -> str:
    """Who is best, in a sentence; or that it cannot be told, and what it would take."""
    if evaluation.winner is not None:
        return f"{evaluation.winner} is better than all others, with {confidence:.0%} confidence in all comparisons"
    needed = [row.more_decisions for row in evaluation.best if row.more_decisions]
    told = "no candidate is better than all others with the confidence asked for"
    return f"{told}; about {max(needed):,} more decisions would tell" if needed else told


def ruling(gate: Mapping[str, Any]) -> list[str]:
    """What the gate said of each candidate, and what came of it."""
    said = [f"{name}: {row['reason']}" for name, row in gate["candidates"].items()]
    if gate["adopt"] is None:
        return [*said, "no policy is adopted"]
    done = "is adopted: the next server decides by it" if gate["adopted"] else "would be adopted; --yes adopts it"
    return [*said, f"{gate['adopt']} {done}"]


def as_builtins(results: Results) -> dict[str, Any]:
    """For JSON."""
    found = _evaluation(results.whole)
    found["settings"] = to_builtins(results.settings)
    found["verdict"] = results.verdict
    if results.segments:
        found["segments"] = {name: _evaluation(each) for name, each in results.segments.items()}
    if results.partial is not None:
        found["partial"] = _evaluation(results.partial)
    if results.gate is not None:
        found["gate"] = results.gate
    if results.outcomes:
        found["outcomes"] = to_builtins(results.outcomes)
        found["models"] = to_builtins(results.models)
        found["oracle"] = to_builtins(results.oracle)
    return found


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "rows": [as_row(row) for row in evaluation],
        "logged": as_row(evaluation.logged),
        "differences": [_difference(difference) for difference in evaluation.differences],
        "winner": evaluation.winner,
        "calibration_p_value": None if evaluation.survey is None else evaluation.survey.calibration(),
    }


def as_row(row: Estimate) -> dict[str, Any]:
    """For JSON."""
    return {field: _finite(getattr(row, field)) for field in row.__struct_fields__}


def _difference(difference: Difference) -> dict[str, Any]:
    return {field: _finite(getattr(difference, field)) for field in difference.__struct_fields__}


def _finite(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not isfinite(value) else value


def iso(at: float | None) -> str | None:
    """A time in seconds since the epoch, for people; a number that can be none as it is."""
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return f"{at:.17g}"
