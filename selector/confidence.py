"""From a target error to a threshold on confidence: which answers may be called sure, kept honest by what came true."""

from __future__ import annotations

from bisect import bisect_right
from math import exp, log
from typing import Annotated

from msgspec import Meta, Struct, field

from selector.doubt import Doubt

LEVELS = tuple(1.0 / (1.0 + exp(-x / 10)) for x in range(-20, 91))
"""Levels of confidence: from .12 to .9999, even in log odds."""

_NEVER = len(LEVELS)
_EVERY, _FROM = 20, 50  # labels after which the level is found anew; seen before it is found at all
_KEEP = 1.0 - _EVERY / 500.0  # of the claims, each time: as steady as a window of 1,000 labels, sooner past a change
_OLD = 0.2  # of the claims when doubt has grown
_AIM = 0.95  # of the target error, what the account allows each sure answer
_LEAST, _USUAL, _MOST = -12.0, -5.0, 8.0  # errors on the account: kept at most, usual, endured at most
_HALF = 20.0  # errors beyond the usual for which claims may be but half as much
_RATES = (0.2, 0.45, 0.65, 0.78, 0.87, 0.94)  # alternatives to the gross error, as parts of it
_ALARM = 8.0  # nats of evidence that sure answers err grossly
_DISTRUST, _DEBT = 1.5, 6.0  # what is left of trust after a restart, and the account
_FORGIVE = 1.05  # by which trust grows back while the account is full


class Trial(Struct, array_like=True):
    """What has come of answers since the last restart.

    `claims` are, for each level, how many answers reached it and no higher, and the doubt that they claimed, summed;
    old ones fade. `level` is the lowest that is sure, once the test is `passed`, for which `tested` are labels and
    errors. `trust` is how far claims are believed. `account` sums error less allowance over the sure answers since;
    `alarm` is the evidence, in nats, that they err grossly. `doubt` is what all answers claimed, sure or not.
    """

    claims: list[list[float]] = field(default_factory=lambda: [[0.0, 0.0] for _ in LEVELS])
    seen: int = 0
    level: int = _NEVER
    trust: float = 1.0
    tested: list[float] = field(default_factory=lambda: [0.0, 0.0])
    passed: bool = False
    account: float = 0.0
    alarm: float = 0.0
    doubt: Doubt = field(default_factory=Doubt)


class Threshold(Struct, frozen=True, kw_only=True):
    """Of the answers marked sure at most the part `target_error` is wrong.

    Sure are answers from a level of confidence on: the lowest at which the answers of late claim no more doubt, on
    average, than is allowed, about the target a. Claims are tested, and kept in check:

    - Before any answer is sure, "answers from this level on err as often as b = (1 + trust) a" must have been
      rejected, by a mixture of likelihood ratios, mean_j r_j^k ((1 - r_j b) / (1 - b))^(n - k) for n labels and k
      errors: a supermartingale if it is true, though the level moves, for it moves by confidences alone; so at
      most with probability `delta` is it ever rejected wrongly, however often one looks (learn then test).
    - Each labelled sure answer adds its error less .95 a to an account, and the more is on it the less doubt is
      allowed: what was saved is spent, what was overdrawn is saved. When it reaches 8, or a CUSUM finds that sure
      answers err twice as often as they may, all is tested anew, with less trust.
    - When answers claim more doubt than is usual, the models have changed: older claims are mostly forgotten, and what
      was saved before is not spent on what is another kind of answers.

    So of n labelled sure answers since a restart at most .95 a n + 9 were wrong, at any time and for any sequence:
    under drift, and whatever confidence is worth. Labels may be missing at random: others then err as often.

    Angelopoulos, Bates, Candes, Jordan, Lei: Learn then test (2021); Ramdas, Grunwald, Vovk, Shafer: Game-theoretic
    statistics and safe anytime-valid inference (2023); Gibbs, Candes: Adaptive conformal inference under distribution
    shift (NeurIPS 2021), for control by what came true.
    """

    target_error: Annotated[float, Meta(gt=0, lt=1)]
    delta: Annotated[float, Meta(gt=0, lt=1)] = 0.05

    def sure(self, trial: Trial, confidence: float | None) -> bool:
        """Whether an answer of this confidence may be called sure."""
        return trial.passed and confidence is not None and level_of(confidence) >= trial.level

    def confidence(self, trial: Trial) -> float | None:
        """The least confidence of sure answers; None while none is sure."""
        return LEVELS[trial.level] if trial.passed and trial.level < _NEVER else None

    def observe(self, trial: Trial, confidence: float, wrong: bool) -> Trial:
        """One label, in place; returns the trial to go on with: a new one if sure answers cannot be vouched for."""
        if self.sure(trial, confidence) and not self._book(trial, wrong):
            return Trial(trial.claims, trial.seen, trust=trial.trust / _DISTRUST, account=_DEBT, doubt=trial.doubt)
        _remember(trial, confidence)
        if trial.seen % _EVERY == 0 and trial.seen >= _FROM:
            if trial.doubt.has_grown(_KEEP):
                _fade(trial, _OLD)
                trial.account = max(trial.account, 0.0)
            trial.level = self._level(trial)
            _fade(trial, _KEEP)
        if not trial.passed and level_of(confidence) >= trial.level:
            trial.tested[0] += 1.0
            trial.tested[1] += wrong
            trial.passed = self._evidence(trial) >= -log(self.delta)
        return trial

    def _gross(self, trust: float) -> float:
        return min((1.0 + trust) * self.target_error, (1.0 + self.target_error) / 2.0)

    def _book(self, trial: Trial, wrong: bool) -> bool:
        """A sure answer was right or wrong: whether the account, and the alarm, can bear that."""
        trial.account = trial.account + wrong - _AIM * self.target_error
        if trial.account < _LEAST:
            trial.account, trial.trust = _LEAST, min(1.0, _FORGIVE * trial.trust)
        a, b = self.target_error, self._gross(1.0)
        trial.alarm = max(0.0, trial.alarm + log(b / a if wrong else (1.0 - b) / (1.0 - a)))
        return trial.account < _MOST and trial.alarm < _ALARM

    def _level(self, trial: Trial) -> int:
        """The lowest level whose answers of late claim no more doubt than allowed, on average; past all if none."""
        allowed = trial.trust * self.target_error * 0.5 ** ((trial.account - _USUAL) / _HALF)
        doubt, n, found = 0.0, 0.0, _NEVER
        for level in range(_NEVER - 1, -1, -1):
            answers, doubts = trial.claims[level]
            if answers:
                doubt, n = doubt + doubts, n + answers
                if doubt <= allowed * n:
                    found = level
        return found

    def _evidence(self, trial: Trial) -> float:
        """Nats against "the error is gross"."""
        (labels, errors), b = trial.tested, self._gross(trial.trust)
        logs = [errors * log(r) + (labels - errors) * log((1.0 - r * b) / (1.0 - b)) for r in _RATES]
        top = max(logs)
        return top + log(sum([exp(x - top) for x in logs]) / len(logs))


def level_of(confidence: float) -> int:
    """The highest level that this confidence reaches; -1 if none."""
    return bisect_right(LEVELS, confidence) - 1


def _remember(trial: Trial, confidence: float) -> None:
    trial.seen += 1
    trial.doubt.add(1.0 - confidence)
    level = level_of(confidence)
    if level >= 0:
        claims = trial.claims[level]
        claims[0] += 1.0
        claims[1] += 1.0 - confidence


def _fade(trial: Trial, keep: float) -> None:
    trial.claims = [[keep * answers, keep * doubts] for answers, doubts in trial.claims]
