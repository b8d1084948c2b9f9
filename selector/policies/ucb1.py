"""UCB1: the model that may be the best, as far as its feedback allows."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log, sqrt
from typing import Annotated, ClassVar

from msgspec import Meta

from selector.decisions import Decision, Query
from selector.policies.single import Single, asked
from selector.policies.tally import Tally
from selector.policy import LearnsFrom, Losses


class UCB1(Single[Tally], frozen=True, kw_only=True, tag="ucb1"):
    """Asks the model with the greatest mean reward + sqrt(2 ln n / n_i), ties broken evenly; the untried first.

    n_i counts the feedbacks received about model i, n those about all; what was asked and not yet
    judged does not count. `prior_strength` is the number of feedbacks that the population's count for in a user's.

    Auer, Cesa-Bianchi, Fischer: Finite-time analysis of the multiarmed bandit problem (2002), figure 1.

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = UCB1()
    >>> state = policy.initial_state(["cnn", "svm"])
    >>> state.add("svm", 0.0)
    >>> policy.select(state, Query(id=1, available=("cnn", "svm")), [], {}, Random(1))
    Selection(models=('cnn',), probability=1.0)
    """

    state_type: ClassVar[type] = Tally
    learns_from: ClassVar[LearnsFrom] = "reward"

    prior_strength: Annotated[float, Meta(ge=0)] = 10.0

    def initial_state(self, models: Sequence[str]) -> Tally:
        return Tally().with_models(models)

    def with_models(self, state: Tally, models: Sequence[str]) -> Tally:
        return state.with_models(models)

    def chances(self, state: Tally, query: Query) -> Sequence[float]:
        n = max(1.0, sum(state.counts))
        bounds = [
            1.0 - loss / count + sqrt(2.0 * log(n) / count) if count else inf
            for count, loss in zip(*state.of(query.available), strict=True)
        ]
        best = max(bounds, default=inf)
        return [1.0 if bound == best else 0.0 for bound in bounds]

    def observe(self, state: Tally, decision: Decision, losses: Losses) -> Tally:
        for model, _ in asked(decision):
            if model in losses:
                state.add(model, losses[model])
        return state

    def blend(self, population: Tally, own: Tally) -> Tally:
        return population.blend(own, self.prior_strength)

    def describe(self, state: Tally) -> dict[str, dict[str, float]]:
        return state.describe(self.chances(state, Query(0, state.models)))
