"""How far a user's own record, and own vote, are to be believed."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from operator import mul, sub

from msgspec import Struct, field

from selector.pool.gradient import Weight, softmax, step

_RATE = 0.2  # the weights that are right are of the order of one, and some hundreds of feedbacks must do


class Trust(Struct, array_like=True):
    """log P(outcome for this user) = log P(outcome for everyone) + record * shift by record + vote * shift by vote.

    1 is to believe it whole, as at first; 0 not at all. What a record tells may be told by the models' scores already,
    or by each other's records, and then it is learned to believe less.
    """

    record: Weight = field(default_factory=lambda: [1.0, 1.0])
    vote: Weight = field(default_factory=lambda: [1.0, 1.0])

    def met(self, chances: Sequence[float], by_record: Sequence[float], by_vote: Sequence[float]) -> list[float]:
        """The chance of each outcome for a user, where these are everyone's."""
        record, vote = self.record[0], self.vote[0]
        pairs = zip(chances, by_record, by_vote, strict=True)
        return softmax([log(chance) + record * x + vote * y for chance, x, y in pairs])

    def learn(
        self, chances: Sequence[float], by_record: Sequence[float], by_vote: Sequence[float], known: Sequence[float]
    ) -> None:
        """The chance of each outcome has become `known`, in place."""
        residuals = list(map(sub, known, self.met(chances, by_record, by_vote)))
        for weight, shifts in ((self.record, by_record), (self.vote, by_vote)):
            step(weight, sum(map(mul, residuals, shifts)), _RATE)
            weight[0] = max(0.0, weight[0])
