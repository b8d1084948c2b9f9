"""What linear bandits know: of each model a regression and a level, and how to read a query's features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
from msgspec import Struct

from selector.features import Array, Features, Scales
from selector.policies.levels import Levels
from selector.policies.regressions import Regressions
from selector.policies.tally import Tally


class LinearRecord(Struct, array_like=True):
    """A `LinearState` as it is encoded: arrays as the bytes of their doubles."""

    tally: Tally
    scales: Scales
    theta: bytes
    inverse: bytes
    turn: int
    levels: Levels
    heard: list[float]
    scored: list[float]
    clock: float
    spared: float


@dataclass(eq=False)
class LinearState:
    """Tally, features, and a regression and a level for each of `tally.models`.

    `clock` counts the feedbacks that scored a model, `heard` says when each was last scored and `scored` how often, of
    which, unlike of the tally, nothing is forgotten; `spared` is the part of the latest that scored a model that had
    not been asked.
    """

    tally: Tally
    features: Features
    regressions: Regressions
    levels: Levels
    heard: list[float]
    scored: list[float]
    clock: float = 0.0
    spared: float = 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LinearState) and self.record() == other.record()

    def record(self) -> LinearRecord:
        """What is encoded."""
        theta, inverse = self.regressions.theta.tobytes(), self.regressions.inverse.tobytes()
        scales, turn = self.features.encoded(), self.regressions.turn
        return LinearRecord(
            self.tally, scales, theta, inverse, turn, self.levels, self.heard, self.scored, self.clock, self.spared
        )

    def with_models(self, models: tuple[str, ...]) -> LinearState:
        """A copy of the state of these models, but for the features, which are shared."""
        known = {model: i for i, model in enumerate(self.tally.models)}
        rows = [known.get(model) for model in models]
        regressions, levels = self.regressions.of(rows, self.features.size), self.levels.of(rows)
        heard = [self.clock if row is None else self.heard[row] for row in rows]
        scored = [0.0 if row is None else self.scored[row] for row in rows]
        counts, losses = self.tally.of(models)
        tally = Tally(models, list(counts), list(losses))
        return LinearState(tally, self.features, regressions, levels, heard, scored, self.clock, self.spared)

    def expect(self, models: tuple[str, ...], x: Array) -> tuple[Array, Array, list[float]]:
        """Of each of `models`: the reward to be expected, its deviation in units of the noise's, and `heard`.

        Models that are not known begin now.
        """
        means, variances = self.regressions.expect(x)
        best, heard = self.levels.best, self.heard
        means, deviations = means + self.levels.levels[best], np.sqrt(variances + self.levels.variances[best])
        if models != self.tally.models:
            known = {model: i for i, model in enumerate(self.tally.models)}
            rows = [known.get(model, len(known)) for model in models]
            mean, variance = self.regressions.prior(x)
            means, deviations = np.append(means, mean)[rows], np.append(deviations, sqrt(variance))[rows]
            heard = [[*heard, self.clock][row] for row in rows]
        return means, deviations, heard

    def scores(self, models: tuple[str, ...]) -> list[float]:
        """How often each of `models` was ever scored."""
        known = dict(zip(self.tally.models, self.scored, strict=True))
        return [known.get(model, 0.0) for model in models]

    def learn(self, losses: Mapping[str, float], x: Array) -> None:
        """The losses of models that are known, in place."""
        rows = [i for i, model in enumerate(self.tally.models) if model in losses]
        lost = [losses[self.tally.models[i]] for i in rows]
        residuals, variances = self.regressions.learn(rows, x, 1.0 - np.array(lost))
        for i, loss, residual, variance in zip(rows, lost, residuals.tolist(), variances.tolist(), strict=True):
            self.levels.learn(i, residual, variance)
            self.tally.counts[i] += 1.0
            self.tally.losses[i] += loss
            self.heard[i] = self.clock
            self.scored[i] += 1.0


def restored(record: LinearRecord, dimension: int, ridge: float) -> LinearState:
    """The inverse of `LinearState.record`. Raises ValueError where the parts do not fit each other."""
    features, k = Features(dimension, record.scales), len(record.tally.models)
    theta = np.frombuffer(record.theta).reshape(k, features.size).copy()
    inverse = np.frombuffer(record.inverse).reshape(k, features.size, features.size).copy()
    regressions = Regressions(ridge, theta, inverse, record.turn)
    heard, scored = record.heard, record.scored
    return LinearState(record.tally, features, regressions, record.levels, heard, scored, record.clock, record.spared)
