"""What the predictions behind an application's decisions have taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selector.decisions import Prediction
from selector.policy import Policy


class Spending:
    """By model, since the start: `counts` of predictions, and `totals` of what they took, in the owner's unit.

    `configured` is what a prediction of each model takes where it does not report its own cost; a policy that has
    `costs` of its own goes before that.
    """

    def __init__(self, configured: Mapping[str, float], policy: Policy[Any]) -> None:
        self.counts = dict.fromkeys(configured, 0)
        self.totals = dict.fromkeys(configured, 0.0)
        self._configured = configured
        self.heed(policy)

    def heed(self, policy: Policy[Any]) -> None:
        """From here on this policy decides."""
        own: Mapping[str, float] = getattr(policy, "costs", {})
        self._prices = {model: own.get(model, cost) for model, cost in self._configured.items()}

    def enter(self, predictions: Mapping[str, Prediction]) -> None:
        """One decision, by the models that answered for it."""
        for model, prediction in predictions.items():
            self.counts[model] += 1
            self.totals[model] += self._prices[model] if prediction.cost is None else prediction.cost

    def describe(self) -> dict[str, dict[str, float | None]]:
        """For people, by model: how often it was asked and answered, and its mean cost; None before the first time."""
        return {
            model: {"predictions": count, "mean_cost": self.totals[model] / count if count else None}
            for model, count in self.counts.items()
        }
