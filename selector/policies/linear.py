"""Linear bandits: one model a query, chosen by the reward to be expected of each, given the query's features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import msgspec
import numpy as np
from msgspec import Meta, Struct

from selector.decisions import Decision, Query
from selector.features import Array, Features, Scales
from selector.policies.regressions import Regressions
from selector.policies.single import Single, asked
from selector.policies.tally import Tally
from selector.policy import LearnsFrom, Losses

_LATEST = 500.0  # feedbacks over which it is learned how often models are scored that were not asked


class LinearRecord(Struct, array_like=True):
    """A `LinearState` as it is encoded: arrays as the bytes of their doubles."""

    tally: Tally
    scales: Scales
    theta: bytes
    inverse: bytes
    turn: int
    heard: list[float]
    clock: float
    spared: float


@dataclass(eq=False)
class LinearState:
    """Tally, features, and a regression for each of `tally.models`.

    `clock` counts the feedbacks that scored a model, `heard` says when each was last scored, `spared` is the
    part of the latest that scored a model that had not been asked.
    """

    tally: Tally
    features: Features
    regressions: Regressions
    heard: list[float]
    clock: float = 0.0
    spared: float = 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LinearState) and self.record() == other.record()

    def record(self) -> LinearRecord:
        """What is encoded."""
        theta, inverse = self.regressions.theta.tobytes(), self.regressions.inverse.tobytes()
        scales, turn = self.features.encoded(), self.regressions.turn
        return LinearRecord(self.tally, scales, theta, inverse, turn, self.heard, self.clock, self.spared)

    def of(self, models: Sequence[str]) -> tuple[Regressions, list[float]]:
        """The regressions of these models, and when they were last scored; those that are not known begin now."""
        if tuple(models) == self.tally.models:
            return self.regressions, self.heard
        known = {model: i for i, model in enumerate(self.tally.models)}
        rows = [known.get(model) for model in models]
        heard = [self.clock if row is None else self.heard[row] for row in rows]
        return self.regressions.of(rows, self.features.size), heard


class Linear(Single[LinearState], frozen=True, kw_only=True):
    """Asks one model by a ridge regression of the rewards of each on the query's features and user.

    A query is a vector of at most `dimension` entries (`selector.features`), where features beyond share places by
    hashing; a state takes 8 `dimension`^2 bytes a model at most. `ridge` is lambda. One state serves all users: the
    user is a feature. With `unasked`, the losses of models that were not asked count too, where a label tells them.

    Models change. The level of each, its reward on the average query, is taken for a random walk whose steps have
    the variance `drift` a feedback, in units of the noise's; 0 is the published rule. `discount` lets all that was
    learned count for that part at each feedback; 1 forgets nothing. The share `exploration` of the queries, less the
    share of shadow queries, goes evenly to models that have not been scored for half the time between their turns.
    """

    state_type: ClassVar[type] = LinearRecord
    learns_from: ClassVar[LearnsFrom] = "labels"
    per_user: ClassVar[bool] = False

    ridge: Annotated[float, Meta(gt=0)] = 1.0
    drift: Annotated[float, Meta(ge=0)] = 0.001
    discount: Annotated[float, Meta(ge=0.5, le=1)] = 1.0
    exploration: Annotated[float, Meta(ge=0, lt=0.5)] = 0.005
    dimension: Annotated[int, Meta(ge=4, le=1024)] = 128
    unasked: bool = True

    @abstractmethod
    def preferences(self, means: Array, widths: Array) -> Sequence[float]:
        """Probabilities of models with these expected rewards theta^T x and widths sqrt(x^T A^-1 x)."""

    def initial_state(self, models: Sequence[str]) -> LinearState:
        state = LinearState(Tally(), Features(self.dimension), Regressions(self.ridge), [])
        return self.with_models(state, models)

    def with_models(self, state: LinearState, models: Sequence[str]) -> LinearState:
        tally = state.tally.with_models(models)
        known = {model: i for i, model in enumerate(state.tally.models)}
        regressions = state.regressions.of([known.get(model) for model in tally.models], state.features.size)
        _, heard = state.of(tally.models)
        return LinearState(tally, state.features.copy(), regressions, list(heard), state.clock, state.spared)

    def chances(self, state: LinearState, query: Query) -> Sequence[float]:
        return self._chances(state, query.available, state.features.vector(query))

    def _chances(self, state: LinearState, models: tuple[str, ...], x: Array) -> list[float]:
        regressions, heard = state.of(models)
        chances = self.preferences(*regressions.expect(x))
        share = max(0.0, self.exploration / max(1, len(models)) - state.spared)
        floors = [2.0 * share if 2.0 * share * (state.clock - last) > 1.0 else 0.0 for last in heard]
        rest = 1.0 - sum(floors)
        return [floor + rest * chance for floor, chance in zip(floors, chances, strict=True)]

    def observe(self, state: LinearState, decision: Decision, losses: Losses) -> LinearState:
        picked = [model for model, _ in asked(decision)]
        told = losses if self.unasked else picked
        scores = [(model, losses[model]) for model in sorted(told) if model in losses and model in state.tally.models]
        if scores:
            state.clock += 1.0
            state.spared += (float(any(model not in picked for model, _ in scores)) - state.spared) / _LATEST
            self._learn(state, decision.query, scores)
        return state

    def _learn(self, state: LinearState, query: Query, scores: list[tuple[str, float]]) -> None:
        x = state.features.learn(query)
        if state.features.size > state.regressions.size:
            everyone = range(len(state.tally.models))
            state.regressions = state.regressions.of(everyone, state.features.size)
        regressions = state.regressions
        regressions.drift(self.drift)
        if self.discount < 1.0:
            regressions.fade(self.discount)
            state.tally.scale(self.discount)
        for model, loss in scores:
            i = state.tally.models.index(model)
            regressions.learn(i, x, 1.0 - loss)
            state.tally.add(model, loss)
            state.heard[i] = state.clock

    def blend(self, population: LinearState, own: LinearState) -> LinearState:
        return population

    def describe(self, state: LinearState) -> dict[str, dict[str, float]]:
        """`weight` is the probability of each model on the average query."""
        average = state.features.vector(Query(0, ()))
        return state.tally.describe(self._chances(state, state.tally.models, average)) if state.tally.models else {}

    def encode(self, state: LinearState) -> bytes:
        return msgspec.msgpack.encode(state.record(), order="deterministic")

    def decode(self, data: bytes) -> LinearState:
        """The inverse of `encode`. Raises msgspec.ValidationError on bytes of another kind."""
        record = msgspec.msgpack.decode(data, type=LinearRecord)
        k, features = len(record.tally.models), Features(self.dimension, record.scales)
        d = features.size
        try:
            theta = np.frombuffer(record.theta).reshape(k, d).copy()
            inverse = np.frombuffer(record.inverse).reshape(k, d, d).copy()
        except ValueError as error:
            raise msgspec.ValidationError("the arrays have other sizes than models and features") from error
        regressions = Regressions(self.ridge, theta, inverse, record.turn)
        return LinearState(record.tally, features, regressions, record.heard, record.clock, record.spared)
