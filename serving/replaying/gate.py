"""The gate of an application: whether a candidate should take the place of the policy in force."""

from __future__ import annotations

from math import inf
from typing import Any

from msgspec import Struct, json, to_builtins

from feedback_store.contract import Log
from selector.policies import AnyPolicy
from selector.replay import Estimate
from selector.replay.gate import UNTOLD, Ruling, rule
from serving.replaying.results import as_row, iso
from serving.replaying.trial import Followed, Trial


class Finding(Struct, frozen=True, kw_only=True):
    """The gate's ruling, the estimates that it rests on, and on which decisions; first and last are ISO 8601.

    If a candidate is to be adopted, `state` is what it knows at `position` of the log.
    """

    ruling: Ruling
    current: Estimate
    candidates: list[Estimate]
    decisions: int
    first: str | None
    last: str | None
    confidence: float
    seed: int
    position: int = 0
    state: bytes = b""

    @property
    def evidence(self) -> str:
        """What an adoption rests on, as JSON: for the log."""
        return json.encode(describe(self), order="deterministic").decode()


def in_force_since(log: Log, application: str) -> float:
    """Since when the policy in force decides, in seconds since the epoch. Earlier decisions were another's."""
    entry = log.announcement(application)
    return -inf if entry is None else entry.at


def find(trial: Trial, followed: Followed, margin: float, log: Log) -> Finding:
    """Rule on the replay of decisions that the policy in force has made."""
    evaluation, course = followed.evaluation, followed.course
    ruling = rule(evaluation, margin)
    position, state = (0, b"") if ruling.adopt is None else _folded(trial, trial.candidates[ruling.adopt], log)
    return Finding(
        ruling=ruling,
        current=evaluation.logged,
        candidates=list({row.candidate: row for row in [*course.evaluation.best, *evaluation.best]}.values()),
        decisions=course.decisions,
        first=iso(course.first),
        last=iso(course.last),
        confidence=trial.confidence,
        seed=trial.seed,
        position=position,
        state=state,
    )


def describe(finding: Finding) -> dict[str, Any]:
    """For JSON: the ruling, and value, interval and reason of each candidate."""
    ruling = finding.ruling
    return {
        "adopt": ruling.adopt,
        "margin": ruling.margin,
        "current": as_row(finding.current),
        "candidates": {
            row.candidate: as_row(row) | {"reason": ruling.reasons.get(row.candidate, UNTOLD)}
            for row in finding.candidates
        },
        **{name: to_builtins(getattr(finding, name)) for name in ("decisions", "first", "last", "confidence", "seed")},
    }


def _folded(trial: Trial, policy: AnyPolicy, log: Log) -> tuple[int, bytes]:
    learner = trial.fold(policy).everyone().fold_all(log.entries(trial.application))
    return learner.position, learner.encode()
