"""Thompson sampling with Beta posteriors, drawn from a table of each model's probability of being the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from selector.decisions import Decision, Query
from selector.policies.best_arm import chances_of_best
from selector.policies.single import Single, asked
from selector.policies.tally import Tally
from selector.policy import LearnsFrom, Losses

_NOISE = 1e-6  # where less of the table than this is left to choose from, its entries say nothing about each other


class Posterior(Struct, array_like=True):
    """Feedback so far, the table P(best) computed from it, and how many feedbacks have come since."""

    tally: Tally
    table: list[float] = []
    since: int = 0


class Thompson(Single[Posterior], frozen=True, kw_only=True, tag="thompson"):
    """Asks each model as often as it is likely to be the best, its success rate being Beta(1 + rewards, 1 + losses).

    Drawing a rate for each model and asking the greatest is the same as drawing a model from P(best), so the
    probability is exact, whatever the table's age: it is computed anew after max(1, n / 100) feedbacks. Among a part of
    the models it is P(best) given that the best is one of them. `prior_strength` is the number of feedbacks
    that the population's count for in a user's.

    Thompson 1933; Chapelle & Li: An empirical evaluation of Thompson sampling (NIPS 2011), algorithm 2.

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = Thompson()
    >>> state = policy.initial_state(["cnn", "svm"])
    >>> selection = policy.select(state, Query(id=1, available=("cnn", "svm")), [], {}, Random(1))
    >>> selection.models, round(selection.probability, 9)
    (('cnn',), 0.5)
    """

    state_type: ClassVar[type] = Posterior
    learns_from: ClassVar[LearnsFrom] = "reward"

    prior_strength: Annotated[float, Meta(ge=0)] = 10.0

    def initial_state(self, models: Sequence[str]) -> Posterior:
        return _tabulated(Tally().with_models(models))

    def with_models(self, state: Posterior, models: Sequence[str]) -> Posterior:
        return _tabulated(state.tally.with_models(models))

    def chances(self, state: Posterior, query: Query) -> Sequence[float]:
        models = state.tally.models
        if query.available == models:
            return state.table
        if not set(query.available) <= set(models):
            return self.chances(self.with_models(state, sorted({*models, *query.available})), query)
        table = [state.table[models.index(model)] for model in query.available]
        return table if sum(table) > _NOISE else _tabulated(state.tally.with_models(query.available)).table

    def observe(self, state: Posterior, decision: Decision, losses: Losses) -> Posterior:
        known = [model for model, _ in asked(decision) if model in losses and model in state.tally.models]
        for model in known:
            state.tally.add(model, losses[model])
        state.since += bool(known)
        return _tabulated(state.tally) if state.since >= max(1.0, sum(state.tally.counts) / 100) else state

    def blend(self, population: Posterior, own: Posterior) -> Posterior:
        return _tabulated(population.tally.blend(own.tally, self.prior_strength))

    def describe(self, state: Posterior) -> dict[str, dict[str, float]]:
        return state.tally.describe(state.table)


def _tabulated(tally: Tally) -> Posterior:
    losses = zip(tally.counts, tally.losses, strict=True)
    return Posterior(tally, chances_of_best([(1.0 + count - loss, 1.0 + loss) for count, loss in losses]))
