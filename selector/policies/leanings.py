"""What sets one user apart: by how much each model, and each of its labels, is more often right than for everyone."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from msgspec import Struct

from selector.decisions import Label
from selector.policies.tally import worth
from selector.policy import Losses, Predictions
from selector.pool.gradient import softmax

WRONG = 0.5
"""Losses from here on count as wrong."""

_LABELS = 16  # of a model, told apart, those that it gave first: a user has few feedbacks for each of many
_SHRINKAGE = 4.0  # labels of everyone that a model's rate counts for in that of one of its labels

Cell = list[int]
"""[right, all]"""


class Record(Struct, array_like=True):
    """How often each model was right, all in all and by the label that it gave; aligned with `models`, sorted."""

    models: tuple[str, ...] = ()
    wholes: list[Cell] = []
    by_label: list[dict[Label, Cell]] = []

    def with_models(self, models: Sequence[str]) -> Record:
        """A new record of these models: those that join start at nothing."""
        names = tuple(sorted(set(models)))
        places = [self.models.index(name) if name in self.models else None for name in names]
        wholes = [[0, 0] if i is None else list(self.wholes[i]) for i in places]
        by_label = [{} if i is None else {k: list(v) for k, v in self.by_label[i].items()} for i in places]
        return Record(names, wholes, by_label)

    def add(self, predictions: Predictions, losses: Losses) -> None:
        """Count one feedback, in place; unknown models are ignored."""
        for i, model in enumerate(self.models):
            loss = losses.get(model)
            if loss is None:
                continue
            right, whole = loss < WRONG, self.wholes[i]
            whole[0] += right
            whole[1] += 1
            prediction = predictions.get(model)
            if prediction is None:
                continue
            by_label, label = self.by_label[i], prediction.output
            cell = by_label.get(label)
            if cell is not None:
                cell[0] += right
                cell[1] += 1
            elif len(by_label) < _LABELS:
                by_label[label] = [int(right), 1]


class Leanings(Struct, frozen=True):
    """A user's record met with everyone's: log odds by which a model is more often right for this user.

    The user's rates are shrunk: a model's towards everyone's, that of one of its labels towards what the model's own
    leaning makes of everyone's; `strength` is what either counts for, in labels (James & Stein 1961). What
    all models have in common says nothing about whom to believe, and is left out. `fresh` is for each model the share
    of everyone's labels that came since it last changed: what a user knew of it before is worth no more than that.
    """

    everyone: Record
    own: Record
    strength: float
    fresh: list[float]

    def of_models(self) -> list[float]:
        """The leaning to each model, whatever its label, aligned with `everyone.models`; their mean is taken off."""
        shifts = list(map(log, self._ratios()))
        common = sum(shifts) / max(1, len(shifts))
        return [fresh * (shift - common) for shift, fresh in zip(shifts, self.fresh, strict=True)]

    def leant(self, labels: Sequence[Label], chances: Sequence[float], predictions: Predictions) -> list[float]:
        """The `chances` of these labels, and of none of them last, each label leant to by the models that gave it."""
        ratios, scores = self._ratios(), list(map(log, chances))
        common = sum(map(log, ratios)) / max(1, len(ratios))
        for i, (model, ratio) in enumerate(zip(self.everyone.models, ratios, strict=True)):
            if model in predictions:
                label = predictions[model].output
                own = self._of_label(i, label, ratio)
                scores[labels.index(label)] += self.fresh[i] * (log(ratio * own) - common)
        return softmax(scores)

    def _ratios(self) -> list[float]:
        """For each model, the odds that it is right for this user over those for everyone."""
        pairs, strength = zip(self.own.wholes, self.everyone.wholes, strict=True), self.strength
        return [
            _ratio(own, (right + 1.0) / (seen - right + 1.0), worth(seen + 2.0, strength))
            for own, (right, seen) in pairs
        ]

    def _of_label(self, i: int, label: Label, ratio: float) -> float:
        """By what the label multiplies the `ratio` of its model."""
        cell, known = self.own.by_label[i].get(label), self.everyone.by_label[i].get(label)
        if cell is None or known is None:
            return 1.0
        whole, (right, seen) = self.everyone.wholes[i], known
        prior = _SHRINKAGE * (whole[0] + 1.0) / (whole[1] + 2.0)
        odds = (right + prior) / (seen - right + _SHRINKAGE - prior)
        return _ratio(cell, odds * ratio, self.strength)


def _ratio(own: Cell, odds: float, strength: float) -> float:
    """The odds of a record's rate, shrunk towards `odds` that count for `strength` labels, over those odds."""
    right, seen = own
    return (right * (1.0 + odds) + strength * odds) / (((seen - right) * (1.0 + odds) + strength) * odds)
