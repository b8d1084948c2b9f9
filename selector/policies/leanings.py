"""What sets one user apart: by how much each model, and each of its labels, is more often right than for everyone."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from msgspec import Struct

from selector.decisions import Label
from selector.policies.own_vote import LABELS, OwnVote
from selector.policies.shrinkage import worth
from selector.policies.trust import Trust
from selector.policy import Losses, Predictions
from selector.pool.voter import Voter

WRONG = 0.5
"""Losses from here on count as wrong."""

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
            elif len(by_label) < LABELS:
                by_label[label] = [int(right), 1]


class Leanings(Struct, frozen=True):
    """What is known of a user met with what is known of everyone: by how much more likely each label is right.

    By the record, log odds by which the models that gave the label are more often right for this user. Rates are
    shrunk: a model's towards everyone's, that of one of its labels towards what the model's own leaning makes of
    everyone's; `strength` is what either counts for, in labels (James & Stein 1961). What all models have in common
    says nothing about whom to believe, and is left out. The more is heard of the user, the more the user's own vote is
    asked instead: everyone counts for `strength` labels in each of its models. `fresh` is for each model the share
    of everyone's labels that came since it last changed: what a user knew of it before is worth no more than that.
    """

    everyone: Record
    own: Record
    vote: OwnVote
    strength: float
    fresh: Sequence[float]
    trust: Trust

    def of_models(self) -> list[float]:
        """The leaning to each model, whatever its label, aligned with `everyone.models`; their mean is taken off."""
        shifts = list(map(log, self._ratios()))
        common, trust = sum(shifts) / max(1, len(shifts)), self.trust.record[0]
        return [trust * fresh * (shift - common) for shift, fresh in zip(shifts, self.fresh, strict=True)]

    def leant(self, labels: Sequence[Label], chances: Sequence[float], predictions: Predictions) -> list[float]:
        """The `chances` of these labels, and of none of them last, for this user."""
        return self.trust.met(chances, *self.shifts(labels, chances, predictions))

    def shifts(
        self, labels: Sequence[Label], chances: Sequence[float], predictions: Predictions
    ) -> tuple[list[float], list[float]]:
        """What is to be added to the logarithms of these chances: by the user's record, and by the user's vote."""
        part = self._part()
        by_record = [(1.0 - part) * shift for shift in self._by_record(labels, predictions)]
        scores = self.vote.scores(labels, predictions)
        return by_record, [part * (score - log(chance)) for score, chance in zip(scores, chances, strict=True)]

    def _part(self) -> float:
        """How far the vote goes before all else; it is as stale as the model that changed last."""
        heard = self.vote.heard * min(self.fresh, default=0.0)
        return heard / (heard + self.strength * len(self.fresh)) if heard else 0.0

    def _by_record(self, labels: Sequence[Label], predictions: Predictions) -> list[float]:
        ratios, shifts = self._ratios(), [0.0] * (len(labels) + 1)
        common = sum(map(log, ratios)) / max(1, len(ratios))
        for i, (model, ratio) in enumerate(zip(self.everyone.models, ratios, strict=True)):
            if model in predictions:
                label = predictions[model].output
                own = self._of_label(i, label, ratio)
                shifts[labels.index(label)] += self.fresh[i] * (log(ratio * own) - common)
        return shifts

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


def freshness(voters: Sequence[Voter], everyone: Record) -> list[float]:
    """The share of everyone's labels that came since each model last changed."""
    pairs = zip(voters, everyone.wholes, strict=True)
    return [min(1.0, voter.accuracy.labels[1] / (seen + 2.0)) for voter, (_, seen) in pairs]


def _ratio(own: Cell, odds: float, strength: float) -> float:
    """The odds of a record's rate, shrunk towards `odds` that count for `strength` labels, over those odds."""
    right, seen = own
    return (right * (1.0 + odds) + strength * odds) / (((seen - right) * (1.0 + odds) + strength) * odds)
