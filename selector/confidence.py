"""From a target error to a threshold on confidence: which answers may be called sure, tested on what came true."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import exp, log
from typing import Annotated

from msgspec import Meta, Struct, field

LEVELS = tuple(1.0 / (1.0 + exp(-x / 10)) for x in range(-20, 91))
"""Levels of confidence that are tested: from .12 to .9999, even in log odds."""

_RATES = (0.2, 0.45, 0.65, 0.78, 0.87, 0.94)  # alternatives to the target error, as parts of it
_WARM_UP = 100  # confidences seen before a first level is chosen
_PATIENCE = 2000.0  # labels at or above a first level before another one is tried
_FIRST_TRY = 0.8  # the part of delta for the first; each later one gets this part of what is left
_RISE = 2.0  # the error among sure answers that must not stay unseen, over the target
_ALARM = 8.0  # nats of evidence for it
_LATELY = 150.0  # sure answers that are "lately"
_HIGH, _LOW = 0.95, 0.8  # their mean doubt, over the target: above, the guard rises; below, it sinks


class Trial(Struct, array_like=True):
    """What has been tested since the last restart.

    `level` is the lowest certified (past the last: none); `first` the one tested first (-1: not chosen yet). `counts`
    are labels and errors by level of confidence, `tested` those at or above the level that is tested now. `recent`
    are the confidences from which the first level is chosen. `alarm` is the evidence, in nats, that sure answers have
    become worse. Below `guard` no answer is sure; `sure` answers have been given since it moved, `lately` is their mean
    doubt of late.
    """

    level: int = len(LEVELS)
    first: int = -1
    tries: int = 0
    counts: list[list[float]] = field(default_factory=lambda: [[0.0, 0.0] for _ in LEVELS])
    tested: list[float] = field(default_factory=lambda: [0.0, 0.0])
    recent: list[float] = []
    alarm: float = 0.0
    guard: int = -1
    sure: float = 0.0
    lately: float = 0.0


class Threshold(Struct, frozen=True, kw_only=True):
    """Sure are answers at or above the lowest level of confidence that is certified to err at most by `target_error`.

    Learn-then-test: "answers at or above this level err more often than the target a" is tested level by level,
    downwards, each level only once the one above has been certified; so until a restart the chance that a level is
    ever in use that errs more often is at most `delta`, however often one looks. The test is a mixture of likelihood
    ratios, mean_j r_j^k ((1 - r_j a) / (1 - a))^(n - k) for n labels and k errors: a supermartingale if the error is
    a or more, so it ever reaches 1 / delta with probability delta at most. Labels may be missing at random. The first
    level is chosen by confidences alone, as the one whose test ends soonest if they are calibrated.

    When errors among sure answers have become more than the target (CUSUM), everything is tested anew, and no answer is
    sure until then. When only their confidences have become lower, so that they no longer claim the target on average,
    the threshold rises until they do.

    Angelopoulos, Bates, Candes, Jordan, Lei: Learn then test (2021), fixed sequence testing; Ramdas, Grunwald, Vovk,
    Shafer: Game-theoretic statistics and safe anytime-valid inference (2023).
    """

    target_error: Annotated[float, Meta(gt=0, lt=1)]
    delta: Annotated[float, Meta(gt=0, lt=1)] = 0.05

    def sure(self, trial: Trial, confidence: float | None) -> bool:
        """Whether an answer of this confidence may be called sure."""
        return confidence is not None and level_of(confidence) >= max(trial.level, trial.guard)

    def confidence(self, trial: Trial) -> float | None:
        """The least confidence of sure answers; None while none is sure."""
        level = max(trial.level, trial.guard)
        return LEVELS[level] if level < len(LEVELS) else None

    def observe(self, trial: Trial, confidence: float, wrong: bool) -> Trial:
        """One label, in place; returns the trial to go on with: a new one if sure answers have become worse."""
        level = level_of(confidence)
        if level >= max(trial.level, trial.guard):
            if self._is_worse(trial, wrong):
                return Trial()
            self._watch(trial, 1.0 - confidence)
        if trial.first < 0:
            self._warm_up(trial, confidence)
            return trial
        if level >= 0:
            _add(trial.counts[level], wrong)
        if level >= _next(trial) >= 0:
            _add(trial.tested, wrong)
            self._test(trial)
        return trial

    def _warm_up(self, trial: Trial, confidence: float) -> None:
        trial.recent.append(confidence)
        if len(trial.recent) >= _WARM_UP:
            trial.first = self._first(sorted(trial.recent, reverse=True))
            trial.recent = []

    def _first(self, confidences: Sequence[float]) -> int:
        """The level whose test should end soonest, by confidences sorted downwards; -1 if all are too low."""
        best, first, doubt = 0.0, -1, 0.0
        for n, confidence in enumerate(confidences, 1):
            doubt += 1.0 - confidence
            gain = n * _divergence(max(doubt / n, 1e-9), self.target_error)
            if gain > best:
                best, first = gain, max(0, level_of(confidence))
        return first

    def _test(self, trial: Trial) -> None:
        """Certify levels as long as the evidence suffices; give up a first level that has had its time.

        No level is certified below the least confident answer seen: of such answers nothing is known.
        """
        needed = -log(self.delta * _FIRST_TRY * (1.0 - _FIRST_TRY) ** trial.tries)
        while _lowest(trial) <= _next(trial) and self._evidence(*trial.tested) >= needed:
            trial.level = _next(trial)
            if trial.level > 0:
                labels, errors = trial.counts[trial.level - 1]
                trial.tested = [trial.tested[0] + labels, trial.tested[1] + errors]
        if trial.level > trial.first and trial.tested[0] >= _PATIENCE:
            trial.first, trial.tries = -1, trial.tries + 1
            trial.counts, trial.tested = Trial().counts, [0.0, 0.0]

    def _evidence(self, labels: float, errors: float) -> float:
        """Nats against "the error is above the target"."""
        a = self.target_error
        logs = [errors * log(r) + (labels - errors) * log((1.0 - r * a) / (1.0 - a)) for r in _RATES]
        top = max(logs)
        return top + log(sum([exp(x - top) for x in logs]) / len(logs))

    def _watch(self, trial: Trial, doubt: float) -> None:
        """Move the guard so that sure answers of late claim the target, for what was certified held for others."""
        trial.sure += 1.0
        trial.lately += (doubt - trial.lately) / min(trial.sure, _LATELY)
        if trial.sure < _LATELY:
            return
        if trial.lately > _HIGH * self.target_error:
            trial.guard, trial.sure = max(trial.guard, trial.level) + 1, 0.0
        elif trial.lately < _LOW * self.target_error and trial.guard >= trial.level:
            trial.guard, trial.sure = trial.guard - 1, 0.0

    def _is_worse(self, trial: Trial, wrong: bool) -> bool:
        risen = min(_RISE * self.target_error, (1.0 + self.target_error) / 2)
        ratio = risen / self.target_error if wrong else (1.0 - risen) / (1.0 - self.target_error)
        trial.alarm = max(0.0, trial.alarm + log(ratio))
        return trial.alarm >= _ALARM


def level_of(confidence: float) -> int:
    """The highest level that this confidence reaches; -1 if none."""
    return bisect_right(LEVELS, confidence) - 1


def _next(trial: Trial) -> int:
    """The level that is tested now; -1 if all are certified."""
    return min(trial.first, trial.level - 1)


def _lowest(trial: Trial) -> int:
    """The lowest level at which there is a label."""
    return next((level for level, (labels, _) in enumerate(trial.counts) if labels), len(LEVELS))


def _divergence(p: float, q: float) -> float:
    """Nats a label by which a rate p < q is told from q; 0 for other rates."""
    return p * log(p / q) + (1.0 - p) * log((1.0 - p) / (1.0 - q)) if p < q else 0.0


def _add(counts: list[float], wrong: bool) -> None:
    counts[0] += 1.0
    counts[1] += wrong
