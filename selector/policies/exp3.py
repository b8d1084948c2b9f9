"""Exp3: one model a query, exponential weights from the feedback on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from selector.decisions import Decision, Query
from selector.policies.single import Single, asked
from selector.policies.tally import Tally
from selector.policies.weights import Weights
from selector.policy import LearnsFrom, Losses

_LEAST_PROBABILITY = 1e-300  # below it, loss / probability would not be finite


class Exp3(Single[Weights], frozen=True, kw_only=True, tag="exp3"):
    """Asks model i with probability p_i = w_i / sum(w); after its loss L, w_i *= exp(-eta L / p_i).

    `p_i` is the probability that was logged with the decision, so feedback may come late and in any
    order. `learning_rate` is eta. `share` is the fixed share, given up at each feedback and spread
    evenly: 0 is the published rule, which needs ever longer to forgive a model that failed. A model that joins
    gets the mean weight. `implicit_exploration` is gamma of Exp3-IX: the loss is divided by p_i + gamma, which
    bounds what one unlikely feedback can do; 0 is the published rule of Exp3.

    Auer, Cesa-Bianchi, Freund, Schapire: The nonstochastic multiarmed bandit problem (SIAM J. Comput. 2002);
    the fixed share is that of their Exp3.S. Neu: Explore no more (NIPS 2015), for Exp3-IX, where gamma = eta / 2.

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = Exp3(learning_rate=0.1, share=0)
    >>> state = policy.initial_state(["cnn", "svm"])
    >>> policy.select(state, Query(id=1, available=("cnn", "svm")), [], {}, Random(1))
    Selection(models=('cnn',), probability=0.5)
    """

    state_type: ClassVar[type] = Weights
    learns_from: ClassVar[LearnsFrom] = "reward"

    learning_rate: Annotated[float, Meta(gt=0)] = 0.05
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.001
    implicit_exploration: Annotated[float, Meta(ge=0, le=1)] = 0.0

    def initial_state(self, models: Sequence[str]) -> Weights:
        return Weights(Tally()).with_models(models)

    def with_models(self, state: Weights, models: Sequence[str]) -> Weights:
        return state.with_models(models)

    def chances(self, state: Weights, query: Query) -> Sequence[float]:
        return state.of(query.available)

    def observe(self, state: Weights, decision: Decision, losses: Losses) -> Weights:
        known, awake = False, decision.query.available
        before = state.held(awake)
        for model, probability in asked(decision):
            if model in losses and model in awake:
                loss = losses[model]
                known |= state.score(model, loss, self._step(loss, probability) if loss else 0.0)
        if known:
            state.settle(self.share, awake, before)
        return state

    def _step(self, loss: float, probability: float) -> float:
        return self.learning_rate * loss / max(probability + self.implicit_exploration, _LEAST_PROBABILITY)

    def blend(self, population: Weights, own: Weights, strength: float) -> Weights:
        met = population.blend(own, strength, self.learning_rate, self.share)
        return met.lifted(self.share) if own.counts(strength) else met

    def describe(self, state: Weights) -> dict[str, dict[str, float]]:
        return state.tally.describe(state.of(state.tally.models))
