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

    `latencies` are in seconds, of those decisions of which they can be told.
    """

    decisions: Floats = field(default_factory=lambda: np.zeros(GROUPS))
    gained: Floats = field(default_factory=lambda: np.zeros(GROUPS))
    rewards: array[float] = field(default_factory=lambda: array("d"))
    latencies: array[float] = field(default_factory=lambda: array("d"))
    unknown: int = 0
    reward: float = 0.0
    cost: float = 0.0
    asked: int = 0
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
    ) -> None:
        """Take in one decision; its loss, or latency in seconds, is None where the log cannot tell it."""
        self.decisions[group] += 1.0
        self.cost += cost
        if latency is not None:
            self.latencies.append(latency)
        self.asked += sum(len(selection.models) for selection in decision.selections)
        self.sure += decision.answer.sure is True
        self.silent += decision.answer.output is None or decision.answer.default
        if loss is None:
            self.unknown += 1
            return
        self.rewards.append(1.0 - loss)
        self.reward += 1.0 - loss
        self.gained[group] += 1.0 - loss
        if segment is not None:
            told = self.segments.setdefault(segment, [0.0, 0.0])
            told[0] += 1.0
            told[1] += 1.0 - loss

    def distribution(self, filled: np.ndarray[Any, Any], resamples: Resamples) -> Distribution:
        """Of its mean reward, over the groups that are `filled`."""
        sums = {"decisions": self.decisions[filled], "reward": self.gained[filled]}
        return distribution(_VALUE.value, sums, resamples.totals(sums))

    def estimate(self, name: str, known: Distribution, confidence: float) -> Estimate:
        """Its mean reward with an interval: bounds where the log does not tell all."""
        usual, always = known.interval(confidence), anytime.of_rewards(np.array(self.rewards), confidence)
        low, high = usual if known.trusted else anytime.hull(usual, always)
        warnings: list[str] = []
        if self.unknown:
            total = self.judged + self.unknown
            low, high = self.reward / total, (self.reward + self.unknown) / total
            said = (
                f"of {self.unknown / total:.1%} of its decisions the log does not tell the outcome: low and high are "
            )
            warnings.append(said + "what these could at worst and at best have been; shadow queries would tell more")
        elif not known.trusted:
            warnings.append(anytime.UNTRUSTED)
        return Estimate(
            candidate=name,
            estimator="exact",
            value=self.mean if self.unknown else known.value,
            low=low,
            high=high,
            effective_sample_size=float(self.judged),
            warnings=tuple(warnings),
            interval="bounds" if self.unknown else "bootstrap" if known.trusted else "anytime",
            standard_error=known.error,
            bootstrap_low=usual[0],
            bootstrap_high=usual[1],
            anytime_low=always[0],
            anytime_high=always[1],
            evaluated="learning",
            decisions=self.judged,
            more_decisions=None,
        )
