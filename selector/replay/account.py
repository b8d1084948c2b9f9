"""What came of one policy's decisions, as an exact replay counts them."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from msgspec import Struct, field

from selector.decisions import Decision
from selector.replay import anytime
from selector.replay.bootstrap import Distribution, Resamples, distribution
from selector.replay.estimators import Estimator
from selector.replay.evaluation import Estimate
from selector.replay.groups import GROUPS
from selector.replay.logged import Floats

_VALUE = Estimator("reward")


class Account(Struct):
    """Sums by group, for intervals, and totals for people; `rewards` are those of judged decisions, in order.

    `latencies` are in seconds, of those decisions of which they can be told; `answered` are those whose answer is
    known, of which some are `sure`, and some `silent`.
    """

    decisions: Floats = field(default_factory=lambda: np.zeros(GROUPS))
    gained: Floats = field(default_factory=lambda: np.zeros(GROUPS))
    untold: Floats = field(default_factory=lambda: np.zeros(GROUPS))
    rewards: array[float] = field(default_factory=lambda: array("d"))
    latencies: array[float] = field(default_factory=lambda: array("d"))
    unknown: int = 0
    reward: float = 0.0
    cost: float = 0.0
    asked: int = 0
    answered: int = 0
    sure: int = 0
    silent: int = 0
    curve: list[tuple[int, float]] = []
    segments: dict[str, list[float]] = {}

    @property
    def judged(self) -> int:
        """Decisions whose reward the log tells."""
        return len(self.rewards)

    @property
    def mean(self) -> float:
        """Their mean reward."""
        return self.reward / max(self.judged, 1)

    def add(
        self,
        group: int,
        loss: float | None,
        decision: Decision,
        cost: float,
        latency: float | None,
        segment: str | None,
        *,
        answered: bool = True,
    ) -> None:
        """Take in one decision; its loss, or latency in seconds, is None where the log cannot tell it.

        Where the log does not have what it asked for, it is not `answered`: what it would have said is unknown.
        """
        self.decisions[group] += 1.0
        self.cost += cost
        if latency is not None:
            self.latencies.append(latency)
        self.asked += sum(len(selection.models) for selection in decision.selections)
        if answered:
            self.answered += 1
            self.sure += decision.answer.sure is True
            self.silent += decision.answer.output is None or decision.answer.default
        if loss is None:
            self.unknown += 1
            self.untold[group] += 1.0
            return
        self.rewards.append(1.0 - loss)
        self.reward += 1.0 - loss
        self.gained[group] += 1.0 - loss
        if segment is not None:
            told = self.segments.setdefault(segment, [0.0, 0.0])
            told[0] += 1.0
            told[1] += 1.0 - loss

    def distribution(self, filled: np.ndarray[Any, Any], resamples: Resamples, untold: float = 0.0) -> Distribution:
        """Of its mean reward, over the groups that are `filled`, if decisions that the log cannot tell got `untold`."""
        gained = self.gained + untold * self.untold
        sums = {"decisions": self.decisions[filled], "reward": gained[filled]}
        return distribution(_VALUE.value, sums, resamples.totals(sums))

    def estimate(self, name: str, worst: Distribution, best: Distribution, confidence: float) -> Estimate:
        """Its mean reward with an interval, from its distributions if what the log does not tell got 0, and 1."""
        usual, always = (worst.interval(confidence)[0], best.interval(confidence)[1]), self._always(confidence)
        trusted = worst.trusted and best.trusted
        low, high = usual if trusted else anytime.hull(usual, always)
        warnings: list[str] = []
        if self.unknown:
            share = self.unknown / (self.judged + self.unknown)
            said = f"of {share:.1%} of its decisions the log does not tell the outcome: low and high allow for "
            warnings.append(said + "what these could at worst and at best have been; shadow queries would tell more")
        elif not trusted:
            warnings.append(anytime.UNTRUSTED)
        return Estimate(
            candidate=name,
            estimator="exact",
            value=self.mean if self.unknown else worst.value,
            low=low,
            high=high,
            effective_sample_size=float(self.judged),
            warnings=tuple(warnings),
            interval="bounds" if self.unknown else "bootstrap" if trusted else "anytime",
            standard_error=worst.error,
            bootstrap_low=usual[0],
            bootstrap_high=usual[1],
            anytime_low=always[0],
            anytime_high=always[1],
            evaluated="learning",
            decisions=self.judged,
            more_decisions=None,
        )

    def _always(self, confidence: float) -> anytime.Interval:
        if not self.unknown:
            return anytime.of_rewards(np.array(self.rewards), confidence)
        n = self.judged + self.unknown
        low, high = (anytime.of_total(total, n, confidence) for total in (self.reward, self.reward + self.unknown))
        return low[0], high[1]
