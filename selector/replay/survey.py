"""The first reading of a log: its size, its weights under each candidate, and sums for the reward model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from selector.replay import norm
from selector.replay.errors import InvalidLog
from selector.replay.groups import Groups
from selector.replay.logged import Floats, Integers, check_numbers
from selector.replay.reward_model import FOLDS, RewardModel, features_of
from selector.replay.source import Part, Source

_SUSPECT = 1e-4  # a calibration test that gives less than this says that probabilities are wrong


class Survey:
    """What must be known of the whole log before anything can be estimated.

    By action [k]: `counts`, how often it was chosen; `mass` [candidates, k], how often each candidate would choose it;
    `inverse` [2, k], sums of 1 / p and 1 / p^2 where it was chosen: the former is n if probabilities are right.
    `model` is one for all candidates, `own_models` one for each, fitted where that matters for its doubly robust
    estimate (see `mrdr`).
    """

    def __init__(self, source: Source, seed: int, with_model: bool, with_own_models: bool = False) -> None:
        self.decisions = 0
        self.actions: Sequence[str] = source.actions
        self.rewards = (np.inf, -np.inf)
        self.probabilities = (np.inf, -np.inf)
        self.largest_weights = np.zeros(len(source.candidates))
        self.second_moments = np.zeros(len(source.candidates))
        self.model: RewardModel | None = None
        self.counts = np.zeros(len(source.actions))
        self.mass = np.zeros((len(source.candidates), len(source.actions)))
        self.inverse = np.zeros((2, len(source.actions)))
        self.own_models: list[RewardModel] = []
        self._with_model, self._with_own_models = with_model, with_own_models
        groups = Groups(seed)
        for part in source.parts():
            self._add(part, groups)
        if self.decisions == 0:
            raise InvalidLog("the log is empty: there is no decision to learn from")
        self.second_moments /= self.decisions
        self.uncovered = self.mass[:, self.counts == 0].sum(axis=1) / self.decisions

    @property
    def uniform(self) -> bool:
        """Whether every choice had the same probability."""
        low, high = self.probabilities
        return bool(high - low <= 1e-6 * high)

    @property
    def never_chosen(self) -> list[str]:
        """Actions that the log does not have."""
        return [name for name, count in zip(self.actions, self.counts, strict=True) if count == 0]

    def calibration(self) -> float:
        """The p-value of a test that the logged probabilities are those by which choices were made.

        For each action, sum(1{a} / p) over the log is n in expectation if the action could always be chosen, and less
        if it could not, which the log does not tell: so only sums that are too large count, with Bonferroni. (Too small
        ones show in the mean weight of candidates that choose the action.)
        """
        n = self.decisions
        sums, squares = self.inverse
        deviation = np.sqrt(np.maximum(squares - sums, 1e-12))
        seen = squares > sums * (1 + 1e-9)
        z = (sums - n)[seen] / deviation[seen]
        return float(min(1.0, len(z) * norm.sf(z.max()))) if len(z) else 1.0

    @property
    def miscalibrated(self) -> bool:
        """Whether the logged probabilities cannot be right, for an action that could be chosen every time."""
        return self.calibration() < _SUSPECT

    def _add(self, part: Part, groups: Groups) -> None:
        check_numbers(part.rewards, part.probabilities, self.decisions + 1)
        k, p = len(self.actions), part.probabilities
        self.rewards = _range(self.rewards, part.rewards)
        self.probabilities = _range(self.probabilities, p)
        self.counts += np.bincount(part.actions, minlength=k)
        self.inverse[0] += np.bincount(part.actions, 1 / p, k)
        self.inverse[1] += np.bincount(part.actions, 1 / p**2, k)
        for j, chances in enumerate(part.chances):
            weights = weights_of(part, chances)
            self.mass[j] += chances.sum(axis=0)
            self.second_moments[j] += np.sum(weights**2)
            self.largest_weights[j] = max(self.largest_weights[j], weights.max())
        if self._with_model or self._with_own_models:
            self._fit(part, groups.of(part) % FOLDS)
        self.decisions += len(part)

    def _fit(self, part: Part, folds: Integers) -> None:
        size = len(self.actions), features_of(part).shape[1]
        if self._with_model:
            self.model = self.model or RewardModel(*size)
            self.model.add(part, folds)
        if self._with_own_models:
            self.own_models = self.own_models or [RewardModel(*size) for _ in part.chances]
            for model, chances in zip(self.own_models, part.chances, strict=True):
                model.add(part, folds, weights_of(part, chances) ** 2 * (1.0 - part.probabilities))


def weights_of(part: Part, chances: Floats) -> Floats:
    """[n] importance weights: how likely the choice is for the candidate over how likely it was."""
    chosen: Floats = chances[np.arange(len(part)), part.actions]
    return chosen / part.probabilities


def _range(known: tuple[float, float], values: Floats) -> tuple[float, float]:
    return min(known[0], float(values.min())), max(known[1], float(values.max()))
