"""Policies that ask one model and answer what it said."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random

from selector.decisions import Answer, Decision, Query, Selection
from selector.policy import Policy, Predictions, Selections, State


class Single(Policy[State], frozen=True, kw_only=True):
    """Asks one model, drawn from `chances`; its answer is the answer, its score the confidence."""

    @abstractmethod
    def chances(self, state: State, query: Query) -> Sequence[float]:
        """The probability of each of `query.available` up to a common factor: none negative, at least one positive."""

    def select(
        self, state: State, query: Query, selections: Selections, predictions: Predictions, rng: Random
    ) -> Selection | None:
        if selections or not query.available:
            return None
        return draw(query.available, self.chances(state, query), rng)

    def combine(self, state: State, query: Query, selections: Selections, predictions: Predictions) -> Answer:
        return only_answer(selections, predictions)


def only_answer(selections: Selections, predictions: Predictions) -> Answer:
    """What the one model that was asked said, with its own score as the confidence."""
    prediction = predictions.get(selections[0].models[0]) if selections else None
    return Answer(None) if prediction is None else Answer(prediction.output, prediction.score)


def draw(models: Sequence[str], weights: Sequence[float], rng: Random) -> Selection:
    """One model, drawn in proportion to its weight, with the exact probability of that."""
    sums = list(accumulate(weights))
    total = sums[-1]
    mark = rng.random() * total
    # Rounding can put the mark on the total, which the last possible model reaches first.
    chosen = bisect_right(sums, mark) if mark < total else bisect_left(sums, total)
    return Selection((models[chosen],), weights[chosen] / total)


def asked(decision: Decision) -> Iterator[tuple[str, float]]:
    """The models that the policy asked (not the shadows), each with the probability of its round having come about."""
    probability = 1.0
    for selection in decision.selections:
        probability *= selection.probability
        for model in selection.models:
            yield model, probability
