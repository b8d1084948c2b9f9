"""Linear bandits: one model a query, chosen by the reward to be expected of each, given the query's features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
from msgspec import Meta

from selector.decisions import Decision, Query
from selector.features import Array, Features
from selector.policies.levels import beginning
from selector.policies.linear_state import LinearRecord, LinearState, restored
from selector.policies.regressions import Regressions
from selector.policies.single import Single, asked
from selector.policies.tally import Tally
from selector.policy import LearnsFrom, Losses

_LATEST = 500.0  # feedbacks over which it is learned how often models are scored that were not asked


class Linear(Single[LinearState], frozen=True, kw_only=True):
    """Asks one model by a ridge regression of the rewards of each on the query's features and user.

    A query is a vector of at most `dimension` entries (`selector.features`), where features beyond share places by
    hashing; a state takes 8 `dimension`^2 bytes a model at most. `ridge` is lambda. One state serves all users: the
    user is a feature. With `unasked`, the losses of models that were not asked count too, where a label tells them.

    Models change. To what the regression expects of each its level is added, a random walk whose steps have one of the
    variances `drifts` a feedback, in units of the noise's: that which has predicted best of late. [0] is the published
    rule. `discount` lets all that was learned count for that part at each feedback; 1 forgets nothing. The share
    `exploration` of the queries, less the share of shadow queries, goes evenly to models that have not been scored for
    half the time between their turns.

    `price` is the reward that one unit of the models' `costs` is worth (1 where nothing is known): asked is the model
    of the greatest reward less price x cost. What is learned does not depend on it.
    """

    state_type: ClassVar[type] = LinearRecord
    learns_from: ClassVar[LearnsFrom] = "labels"
    per_user: ClassVar[bool] = False
    contextual: ClassVar[bool] = True

    ridge: Annotated[float, Meta(gt=0)] = 1.0
    drifts: Annotated[tuple[Annotated[float, Meta(ge=0, le=1)], ...], Meta(min_length=1)] = (0.0, 0.001, 0.01, 0.1)
    discount: Annotated[float, Meta(ge=0.5, le=1)] = 1.0
    exploration: Annotated[float, Meta(ge=0, lt=0.5)] = 0.005
    dimension: Annotated[int, Meta(ge=4, le=1024)] = 128
    unasked: bool = True
    price: Annotated[float, Meta(ge=0)] = 0.0
    costs: Mapping[str, Annotated[float, Meta(ge=0)]] = {}

    @abstractmethod
    def preferences(self, means: Array, widths: Array, counts: Sequence[float]) -> Sequence[float]:
        """Probabilities of models by expected rewards theta^T x, widths sqrt(x^T A^-1 x), and how often scored."""

    def initial_state(self, models: Sequence[str]) -> LinearState:
        regressions, levels = Regressions(self.ridge), beginning(self.drifts)
        return self.with_models(LinearState(Tally(), Features(self.dimension), regressions, levels, [], []), models)

    def with_models(self, state: LinearState, models: Sequence[str]) -> LinearState:
        chosen = state.with_models(tuple(sorted(set(models))))
        chosen.features = state.features.copy()
        return chosen

    def chances(self, state: LinearState, query: Query) -> Sequence[float]:
        return self.outlook(state, query)[0]

    def outlook(self, state: LinearState, query: Query) -> tuple[list[float], list[float]]:
        """Of each of `query.available`: the probability with which it is asked, and the loss to be expected of it."""
        means, widths, heard = state.expect(query.available, state.features.vector(query))
        expected = [min(1.0, max(0.0, 1.0 - mean)) for mean in means.tolist()]
        return self._chances(state, query.available, means, widths, heard), expected

    def _chances(
        self, state: LinearState, models: tuple[str, ...], means: Array, widths: Array, heard: Sequence[float]
    ) -> list[float]:
        if self.price > 0.0:
            means = means - self.price * np.array([self.costs.get(model, 1.0) for model in models])
        chances = self.preferences(means, widths, state.scores(models))
        share = max(0.0, self.exploration / max(1, len(models)) - state.spared)
        floors = [2.0 * share if 2.0 * share * (state.clock - last) > 1.0 else 0.0 for last in heard]
        rest = 1.0 - sum(floors)
        return [floor + rest * chance for floor, chance in zip(floors, chances, strict=True)]

    def observe(self, state: LinearState, decision: Decision, losses: Losses) -> LinearState:
        picked = [model for model, _ in asked(decision)]
        told = losses if self.unasked else picked
        known = {model: losses[model] for model in told if model in losses and model in state.tally.models}
        if known:
            state.clock += 1.0
            state.spared += (float(any(model not in picked for model in known)) - state.spared) / _LATEST
            self._learn(state, decision.query, known)
        return state

    def _learn(self, state: LinearState, query: Query, losses: Losses) -> None:
        x = state.features.learn(query)
        if state.features.size > state.regressions.size:
            everyone = range(len(state.tally.models))
            state.regressions = state.regressions.of(everyone, state.features.size)
        state.levels.tick()
        if self.discount < 1.0:
            state.regressions.fade(self.discount)
            state.tally.scale(self.discount)
        state.learn(losses, x)

    def blend(self, population: LinearState, own: LinearState, strength: float) -> LinearState:
        return population

    def describe(self, state: LinearState) -> dict[str, dict[str, float]]:
        """`weight` is the probability of each model on the average query."""
        models = state.tally.models
        return state.tally.describe(self.chances(state, Query(0, models))) if models else {}

    def encode(self, state: LinearState) -> bytes:
        return msgspec.msgpack.encode(state.record(), order="deterministic")

    def decode(self, data: bytes) -> LinearState:
        """The inverse of `encode`. Raises msgspec.ValidationError on bytes of another kind."""
        record = msgspec.msgpack.decode(data, type=LinearRecord)
        try:
            return restored(record, self.dimension, self.ridge)
        except ValueError as error:
            raise msgspec.ValidationError("the parts of the state do not fit each other") from error
