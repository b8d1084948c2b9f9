"""Which of two answers to give: that of the one who has been right where they differed."""

from __future__ import annotations

from math import exp, log

from msgspec import Struct


class Precedence(Struct, array_like=True):
    """`lead` is the log weight of the first less that of the second: exponential weights with fixed share.

    Herbster & Warmuth: Tracking the best expert (1998), for two experts; where both are right or both wrong nothing
    is learned, and nothing forgotten.
    """

    lead: float = 0.0

    @property
    def first(self) -> bool:
        """Whether the first goes before the second."""
        return self.lead >= 0.0

    def learn(self, first_right: bool, second_right: bool, learning_rate: float, share: float) -> None:
        """Who was right when they differed, in place."""
        if first_right != second_right:
            step = learning_rate if first_right else -learning_rate
            weight = (1.0 - share) / (1.0 + exp(-self.lead - step)) + share / 2
            self.lead = log(weight / (1.0 - weight))
