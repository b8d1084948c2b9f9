"""Epsilon-greedy: mostly the model with the smallest mean loss, sometimes any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from selector.decisions import Decision, Query
from selector.policies.single import Single, asked
from selector.policies.tally import Tally
from selector.policy import LearnsFrom, Losses


class EpsilonGreedy(Single[Tally], frozen=True, kw_only=True, tag="epsilon_greedy"):
    """Asks any model with probability `epsilon`, else the one with the smallest mean loss, ties broken evenly.

    A model without feedback counts as faultless, so it is tried. `prior_strength` is the number of
    feedbacks that the population's losses count for in a user's.

    Sutton & Barto: Reinforcement Learning (2018), section 2.4.

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = EpsilonGreedy(epsilon=0.2)
    >>> state = policy.initial_state(["cnn", "svm"])
    >>> state.add("svm", 1.0)
    >>> policy.select(state, Query(id=1, available=("cnn", "svm")), [], {}, Random(1))
    Selection(models=('cnn',), probability=0.9)
    """

    state_type: ClassVar[type] = Tally
    learns_from: ClassVar[LearnsFrom] = "reward"

    epsilon: Annotated[float, Meta(ge=0, le=1)] = 0.1
    prior_strength: Annotated[float, Meta(ge=0)] = 10.0

    def initial_state(self, models: Sequence[str]) -> Tally:
        return Tally().with_models(models)

    def with_models(self, state: Tally, models: Sequence[str]) -> Tally:
        return state.with_models(models)

    def chances(self, state: Tally, query: Query) -> Sequence[float]:
        means = [loss / count if count else 0.0 for count, loss in zip(*state.of(query.available), strict=True)]
        best = min(means, default=0.0)
        explore = self.epsilon / max(1, len(means))
        exploit = (1.0 - self.epsilon) / max(1, means.count(best))
        return [explore + exploit if mean == best else explore for mean in means]

    def observe(self, state: Tally, decision: Decision, losses: Losses) -> Tally:
        for model, _ in asked(decision):
            if model in losses:
                state.add(model, losses[model])
        return state

    def blend(self, population: Tally, own: Tally) -> Tally:
        return population.blend(own, self.prior_strength)

    def describe(self, state: Tally) -> dict[str, dict[str, float]]:
        return state.describe(self.chances(state, Query(0, state.models)))
