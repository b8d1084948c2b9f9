"""Which of two answers to give: that of the one who has been right where they differed."""

from __future__ import annotations

from math import exp

from msgspec import Struct

_SURE = 2.0  # times the chance of the second's answer: from there on the first is sure of its own


class Precedence(Struct, array_like=True):
    """Weights of three rules: give the first's answer; give it if the first is sure, else the second's; the second's.

    Exponential weights with fixed share, which sum to 1 and return to 2 : 1 : 1: the first goes before until it was
    wrong where they differed. Where both are right or both wrong nothing is learned, and nothing forgotten.

    Herbster & Warmuth: Tracking the best expert (1998).
    """

    first: float = 0.5
    first_if_sure: float = 0.25
    second: float = 0.25

    @property
    def always_first(self) -> bool:
        """Whether the first's answer is given, be it sure or not."""
        return self.first >= 0.5

    def prefers_first(self, chance: float, other: float) -> bool:
        """Whether the first's answer is given, which it claims is right with this chance, and the second's, `other`."""
        return self.second <= 0.5 if chance >= _SURE * other else self.first >= 0.5

    def learn(self, chance: float, other: float, first_right: bool, learning_rate: float, share: float) -> None:
        """One of two answers that differed, with these claims, was right, in place."""
        wrong = exp(-learning_rate)
        first, between, second = self.first, self.first_if_sure, self.second
        if first_right:
            second *= wrong
        else:
            first *= wrong
        if (chance >= _SURE * other) != first_right:
            between *= wrong
        kept = (1.0 - share) / (first + between + second)
        self.first, self.first_if_sure = kept * first + share / 2, kept * between + share / 4
        self.second = kept * second + share / 4

    def hold_back(self) -> None:
        """The first has much to learn anew, in place: half of the weight that it goes before is on it being sure."""
        half = self.first / 2
        self.first, self.first_if_sure = half, self.first_if_sure + half
