"""Has a model's loss changed? Detectors that are fed one loss at a time and learn the healthy rate themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, log1p, sqrt
from typing import Literal

from msgspec import Struct, structs

FALSE_ALARMS = 3e-6  # a label, in both directions together
_CALM = 0.25  # with less than this part of an alarm's evidence, labels count to the healthy rate
_HALF = 0.5  # with this part of it, labels are taken for those after the change
_REFRESH = 1.02  # the healthy rate is taken anew when its labels have grown by this factor
_DISTRUST = 4.0  # of what few labels say, beyond chance: those that an alarm leaves are extreme ones, not a sample
_RATIOS = (1.5, 2.25, 5.0, 25.0)  # odds of an error after a change to those before: from .10 to .14, .20, .36, .74
_BETS = tuple((r, log(r)) for r in (*_RATIOS, *(1 / r for r in _RATIOS)))
_RISES, _FALLS = [[(j, log_r) for j, (r, log_r) in enumerate(_BETS) if (r > 1) is up] for up in (True, False)]
_STAKES = [-log(len(_RATIOS))] * len(_BETS)
_DRIFT = 0.15  # Page-Hinkley's delta, in standard deviations of one loss
_LEAST_DEVIATION = 0.3  # rates below .1 or above .9 are skewed: their true deviation would make false alarms

Change = Literal["worse", "better"]


class Watch(Struct, array_like=True):
    """What a detector knows of one model: healthy labels, recent ones that may be of another rate, and the evidence.

    `recent_*` are the labels since the evidence last was weak, `rise_*` and `fall_*` those since half of what makes
    that alarm was there; at an alarm the recent ones are the latter: what came while the other change
    seemed likely tells nothing about the new rate. `constants` follow from the healthy
    rate as it stood when `count` reached the last refresh; they are taken anew at `due`. `worse` and `better` are
    the evidence of a rise and of a fall, as parts of what makes an alarm.
    """

    count: float = 0.0
    loss: float = 0.0
    recent_count: float = 0.0
    recent_loss: float = 0.0
    evidence: list[float] = []
    constants: list[float] = []
    due: float = 0.0
    worse: float = 0.0
    better: float = 0.0
    rise_count: float = 0.0
    rise_loss: float = 0.0
    fall_count: float = 0.0
    fall_loss: float = 0.0

    def copy(self) -> Watch:
        """A watch that shares nothing with this one."""
        return structs.replace(self, evidence=list(self.evidence), constants=list(self.constants))

    def restarted(self) -> Watch:
        """A new watch that takes the recent labels for the healthy ones."""
        return Watch(self.recent_count, self.recent_loss)


@dataclass(frozen=True)
class Detector(ABC):
    """A rule that turns losses in [0, 1] into evidence of a change in their mean, in either direction.

    The healthy rate is learned: the mean of the labels so far, less those that came since the evidence began to
    grow; against a rise it is taken one standard error higher, against a fall one lower, and more while labels are
    few, so that what has hardly been learned makes no alarms. Before any label nothing is known, and nothing is seen.
    """

    false_alarms: float = FALSE_ALARMS

    def add(self, watch: Watch, loss: float) -> Change | None:
        """Take one loss into account, in place: the change that it proves, if any; the caller then restarts."""
        if watch.count >= watch.due:
            self._refresh(watch)
        worse, better = self.weigh(watch.evidence, watch.constants, loss)
        watch.worse, watch.better = worse, better
        if worse >= _HALF or watch.rise_count > 0.0:
            watch.rise_count, watch.rise_loss = _since(worse, watch.rise_count, watch.rise_loss, loss)
        if better >= _HALF or watch.fall_count > 0.0:
            watch.fall_count, watch.fall_loss = _since(better, watch.fall_count, watch.fall_loss, loss)
        if worse >= 1.0 or better >= 1.0:
            return self._alarm(watch)
        watch.recent_count += 1.0
        watch.recent_loss += loss
        if worse < _CALM and better < _CALM:
            watch.count += watch.recent_count
            watch.loss += watch.recent_loss
            watch.recent_count = watch.recent_loss = 0.0
        return None

    @abstractmethod
    def prepare(self, low: float, high: float) -> list[float]:
        """The constants for a healthy rate between `low` and `high`, both within (0, 1)."""

    @abstractmethod
    def weigh(self, evidence: list[float], constants: list[float], loss: float) -> tuple[float, float]:
        """Update `evidence` (at first empty) in place: that of a rise and that of a fall, 1 making an alarm."""

    def _alarm(self, watch: Watch) -> Change:
        if watch.worse >= watch.better:
            watch.recent_count, watch.recent_loss = watch.rise_count, watch.rise_loss
            return "worse"
        watch.recent_count, watch.recent_loss = watch.fall_count, watch.fall_loss
        return "better"

    def _refresh(self, watch: Watch) -> None:
        watch.constants = self.prepare(*rates(watch.count, watch.loss))
        watch.due = _REFRESH * watch.count + 1.0


def rates(count: float, total: float) -> tuple[float, float]:
    """The rate of which `count` labels of `total` loss are a sample, one standard error low and high.

    More while labels are few, and within [.001, .999].
    """
    n = count + 1.0
    rate = (total + 0.5) / n
    error = sqrt(rate * max(0.0, 1.0 - rate) / n) * (1.0 + _DISTRUST / sqrt(n))
    return max(0.001, min(0.999, rate - error)), min(0.999, max(0.001, rate + error))


def _since(level: float, count: float, total: float, loss: float) -> tuple[float, float]:
    """Count and sum of the losses since the evidence reached half of an alarm's."""
    return (count + 1.0, total + loss) if level >= _HALF else (0.0, 0.0)


class Cusum(Detector):
    """Bernoulli CUSUMs side by side, each for one ratio of the odds of an error after the change to those before.

    S_j <- max(0, S_j + log-likelihood ratio); alarm when S_j reaches ln(m I_j / alpha): m is the number of
    CUSUMs, alpha the false alarms a label, I_j the mean growth of S_j after its change, for the mean time to a
    false alarm is about exp(limit) / I_j. As S_j overshoots its limit by up to its greatest step J, the limit is
    lower by 2 ln(J / (1 - exp(-J))).

    Page: Continuous inspection schemes (1954); Lorden: Procedures for reacting to a change in distribution (1971);
    Siegmund: Sequential Analysis (1985), chapter 2, for the rate of false alarms.
    """

    def prepare(self, low: float, high: float) -> list[float]:
        odds = [(r, log_r, high if r > 1 else low) for r, log_r in _BETS]
        costs = [log1p(p * (r - 1)) for r, _, p in odds]
        return costs + [self._limit(r, log_r, p, cost) for (r, log_r, p), cost in zip(odds, costs, strict=True)]

    def _limit(self, r: float, log_r: float, p: float, cost: float) -> float:
        growth = p * r / (1 + p * (r - 1)) * log_r - cost
        step = max(log_r - cost, -cost)
        return max(1.0, log(len(_BETS) * growth / self.false_alarms) + 2 * log((1 - exp(-step)) / step))

    def weigh(self, evidence: list[float], constants: list[float], loss: float) -> tuple[float, float]:
        if not evidence:
            evidence.extend([0.0] * len(_BETS))
        return _climb(evidence, constants, loss, _RISES), _climb(evidence, constants, loss, _FALLS)


def _climb(evidence: list[float], constants: list[float], loss: float, bets: Sequence[tuple[int, float]]) -> float:
    """One step of the CUSUMs of these bets, in place: the highest of them, as a part of its limit."""
    n, highest = len(_BETS), 0.0
    for j, log_r in bets:
        s = evidence[j] + loss * log_r - constants[j]
        if s > 0.0:
            evidence[j] = s
            level = s / constants[n + j]
            if level > highest:
                highest = level
        else:
            evidence[j] = 0.0
    return highest


class Betting(Detector):
    """Restarted betting tests: the mean capital of gamblers who bet on a rise; a fresh stake whenever it is below 1.

    Gambler j wins as the likelihood ratio of its change (`Cusum`): fair or worse while the healthy rate holds, for
    losses between 0 and 1 too. Others bet on a fall. Alarm when a capital reaches 2 / alpha: were the
    rate known, the mean time to a false alarm would be at least 1 / alpha, whatever the distribution of the losses.

    Shin, Ramdas, Rinaldo: E-detectors (2022), the e-CUSUM.
    """

    def prepare(self, low: float, high: float) -> list[float]:
        return [log1p((high if r > 1 else low) * (r - 1)) for r, _ in _BETS]

    def weigh(self, evidence: list[float], constants: list[float], loss: float) -> tuple[float, float]:
        grown = [e + loss * log_r - c for e, (_, log_r), c in zip(evidence or _STAKES, _BETS, constants, strict=True)]
        rise, evidence[: len(_RATIOS)] = self._capital(grown[: len(_RATIOS)])
        fall, evidence[len(_RATIOS) :] = self._capital(grown[len(_RATIOS) :])
        return rise, fall

    def _capital(self, logs: list[float]) -> tuple[float, list[float]]:
        top = max(logs)
        capital = top + log(sum(exp(e - top) for e in logs))
        return (capital / log(2 / self.false_alarms), logs) if capital > 0 else (0.0, _STAKES[: len(logs)])


class PageHinkley(Detector):
    """Page-Hinkley: the sum of (loss - rate - delta), less its minimum so far, and the same for a fall.

    In standard deviations of a loss at the healthy rate delta is .15 and the limit lambda is
    ln(4 delta^2 / alpha) / (2 delta): the false alarms would be alpha a label were losses normal. Blind to
    changes of less than delta.

    Page 1954; Hinkley: Inference about the change-point from cumulative sum tests (1971).
    """

    def prepare(self, low: float, high: float) -> list[float]:
        middle = (low + high) / 2
        return [low, high, max(_LEAST_DEVIATION, sqrt(middle * (1 - middle)))]

    def weigh(self, evidence: list[float], constants: list[float], loss: float) -> tuple[float, float]:
        low, high, deviation = constants
        rise, fall = evidence or (0.0, 0.0)
        rise = max(0.0, rise + (loss - high) / deviation - _DRIFT)
        fall = max(0.0, fall + (low - loss) / deviation - _DRIFT)
        evidence[:] = [rise, fall]
        limit = log(4 * _DRIFT**2 / self.false_alarms) / (2 * _DRIFT)
        return rise / limit, fall / limit


DetectorName = Literal["cusum", "page_hinkley", "betting"]
DETECTORS: dict[DetectorName, Detector] = {
    "cusum": Cusum(),
    "page_hinkley": PageHinkley(),
    "betting": Betting(),
}
