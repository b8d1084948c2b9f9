"""All that a fold depends on, beside the log."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, json

from selector.certainty import Certainty
from selector.learner import Learner
from selector.losses import Loss
from selector.policy import Policy
from selector.population import Population


class Fold(Struct, frozen=True, kw_only=True):
    """Folds of one application's log with equal settings are equal, byte for byte. `influence` is Population's."""

    policy: Policy[Any]
    loss: Loss
    certainty: Certainty | None = None
    influence: float = 1.0

    @property
    def settings(self) -> str:
        """Its settings as canonical JSON."""
        others = json.encode((self.loss, self.certainty, self.influence), order="deterministic").decode()
        return f"{self.policy.settings} {others}"

    def everyone(self) -> Population:
        """A new learner for the entries of all."""
        return Population(self.policy, self.loss, self.certainty, self.influence)

    def one(self) -> Learner:
        """A new learner for the entries of one user."""
        return Learner(self.policy.personal, self.loss)
