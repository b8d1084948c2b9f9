"""Weights for the stretches of a log in which logging policies differed: what is better known counts for more."""

from __future__ import annotations

import numpy as np

from selector.replay.logged import Floats, Integers

STRETCHES = 20
"""Parts of the log, equally long, that have a weight each."""
_PRIOR = 30.0  # the sum of weights with which a stretch is drawn to the whole log


class Balance:
    """The doubly robust scores of a log of n decisions, summed by stretch and by group."""

    def __init__(self, decisions: int, groups: int) -> None:
        self._decisions, self._seen = decisions, 0
        self._counts, self._scores = np.zeros((2, STRETCHES, groups))
        self._weights, self._squares = np.zeros((2, STRETCHES))

    def add(self, groups: Integers, weights: Floats, scores: Floats) -> None:
        """Take in importance weights and scores [n] of the next decisions, and the groups that these are in."""
        stretches = (self._seen + np.arange(len(scores))) * STRETCHES // self._decisions
        shape = self._scores.shape
        cells = stretches * shape[1] + groups
        self._counts += np.bincount(cells, minlength=self._counts.size).reshape(shape)
        self._scores += np.bincount(cells, scores, self._scores.size).reshape(shape)
        self._weights += np.bincount(stretches, weights, STRETCHES)
        self._squares += np.bincount(stretches, weights**2, STRETCHES)
        self._seen += len(scores)

    def columns(self) -> dict[str, Floats]:
        """Sums by group, each stretch weighted with the inverse of E[w^2] = sum w^2 / sum w in the one before.

        Of its own it must not be: a stretch in which the candidate's choices were drawn too seldom looks too certain.
        The first has that of the second.
        """
        overall = self._squares.sum() / max(float(self._weights.sum()), 1e-12)
        moments = (self._squares + _PRIOR * overall) / (self._weights + _PRIOR)
        weights = overall / np.maximum(moments[[1, *range(STRETCHES - 1)]], 1e-12)
        return {"balanced_score": weights @ self._scores, "balance": weights @ self._counts}
