"""Who said what: the predictions of one query as the pool sees them."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, log2

from msgspec import Struct

from selector.decisions import Label, Prediction
from selector.logarithm import LN2
from selector.pool.ranks import SHARES

UNSCORED = SHARES
"""The bin of predictions without a score."""
BINS = SHARES + 1
"""Bins of a score: by rank, and the last."""
NONE = -1
"""The id of the outcome that no candidate is right."""

_CENTRE, _REACH = 1.5, 5.0
_TOP, _BOTTOM = (1.0 / (1.0 + exp(-_CENTRE - reach)) for reach in (_REACH, -_REACH))
_TINY = 1e-6
_LEAST = -8.0


Vote = tuple[int, int, int, float]
"""Of one voter: the index of the model, its candidate, the bin of its score, its stretched score (0 without one)."""


class Ballot(Struct, frozen=True, gc=False):
    """The candidates are the labels given, in the order of their first voter; the last outcome is "none of them".

    `ids` are those of the outcomes. `votes` are in the order of models, and so are `scores`, (model, score) where there
    is one. `spreads` are, for voters with a distribution, log p(candidate) - log p(own label), for each candidate.
    """

    labels: list[Label]
    ids: list[int]
    votes: list[Vote]
    scores: list[tuple[int, float]]
    spreads: dict[int, list[float]]


def score_of(prediction: Prediction) -> float | None:
    """The model's own confidence; its probability, if it gave a distribution instead."""
    if prediction.score is None and prediction.probabilities is not None:
        return dict(prediction.probabilities).get(prediction.output)
    return prediction.score


def stretch(score: float) -> float:
    """The log odds of a score less 1.5, within [-5, 5]."""
    if score >= _TOP:
        return _REACH
    if score <= _BOTTOM:
        return -_REACH
    return LN2 * log2(score / (1.0 - score)) - _CENTRE


def spread(prediction: Prediction, candidates: Sequence[Label]) -> list[float]:
    """log p(candidate) - log p(own label) by the model's own distribution, within [-8, 0]."""
    p = dict(prediction.probabilities or ())
    own = max(p.get(prediction.output, 0.0), _TINY)
    return [min(0.0, max(_LEAST, log(max(p.get(label, 0.0), _TINY) / own))) for label in candidates]
