"""What reward each action would bring in each context: the model of the direct method, cross-fitted."""

from __future__ import annotations

import numpy as np

from selector.replay.logged import Floats, Integers
from selector.replay.source import Part

FOLDS = 5
_RIDGE = 70.0  # what the pooled model counts for, in decisions, against an action's own slopes
_RIDGE_OF_MEAN = 4.0  # and against its own mean


class RewardModel:
    """E[r | x, a] by ridge regression for each action, drawn towards one model of all actions.

    The rows of a fold are predicted from the other folds (Chernozhukov et al. 2018), so that a row's own reward does
    not explain itself. What is kept are sums, [folds, k, d, d]: memory does not grow with the log.
    """

    def __init__(self, actions: int, features: int) -> None:
        d = features
        self._gram = np.zeros((FOLDS, actions, d, d))
        self._moment = np.zeros((FOLDS, actions, d))
        self._count, self._weight = 0, 0.0
        self._fitted: Floats | None = None

    def add(self, part: Part, folds: Integers, weights: Floats | None = None) -> None:
        """Learn from decisions whose folds are given, each as often as its weight says (all equally if None).

        Where expectations are given with the log, what is learned is what is to be added to them.
        """
        x = features_of(part)
        weighted = x if weights is None else x * weights[:, None]
        n = np.arange(len(part))
        target = part.rewards if part.predicted is None else part.rewards - part.predicted[n, part.actions]
        self._count += len(part)
        self._weight += len(part) if weights is None else float(weights.sum())
        k = self._gram.shape[1]
        cell = folds * k + part.actions
        order = np.argsort(cell, kind="stable")
        bounds = np.searchsorted(cell[order], np.arange(FOLDS * k + 1))
        for c in range(FOLDS * k):
            rows = order[bounds[c] : bounds[c + 1]]
            if len(rows):
                z = weighted[rows].T
                self._gram[c // k, c % k] += z @ x[rows]
                self._moment[c // k, c % k] += z @ target[rows]

    def predict(self, part: Part, folds: Integers) -> Floats:
        """[n, k] expected rewards."""
        if self._fitted is None:
            self._fitted = self._fit()
        x = features_of(part)
        predicted = np.empty((len(part), self._gram.shape[1]))
        for fold in range(FOLDS):
            rows = folds == fold
            predicted[rows] = x[rows] @ self._fitted[fold].T
        return predicted if part.predicted is None else predicted + part.predicted

    def _fit(self) -> Floats:
        scale = self._count / self._weight if self._weight > 0 else 1.0  # the ridges are in decisions
        gram, moment = (scale * (sums.sum(axis=0) - sums) for sums in (self._gram, self._moment))
        return np.stack([_coefficients(gram[f], moment[f]) for f in range(FOLDS)])


def _coefficients(gram: Floats, moment: Floats) -> Floats:
    """[k, d]: each action's, of which the pooled ones are the prior."""
    d = gram.shape[-1]
    pooled_ridge, ridge = np.full((2, d), _RIDGE)
    pooled_ridge[0], ridge[0] = 1e-6, _RIDGE_OF_MEAN
    pooled = np.linalg.solve(gram.sum(axis=0) + np.diag(pooled_ridge), moment.sum(axis=0))
    residual = moment - gram @ pooled
    own: Floats = pooled + np.linalg.solve(gram + np.diag(ridge), residual[..., None])[..., 0]
    return own


def features_of(part: Part) -> Floats:
    """[n, d]; without contexts, a constant."""
    return np.ones((len(part), 1)) if part.features is None else part.features
