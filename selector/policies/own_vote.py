"""A vote learned from one user's feedback alone: what each model's word, and each of its labels, is worth there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import sub

from msgspec import Struct, field

from selector.decisions import Label
from selector.policy import Predictions
from selector.pool.gradient import Weight, softmax, step

LABELS = 16
"""Labels of a model that are told apart, those that it gave first: a user has few feedbacks for each of many."""

_RATE = 0.5  # AdaGrad's best is D / sqrt(2) for weights that have to go as far as D: log odds of .7


class OwnVote(Struct, array_like=True):
    """A softmax regression: the log odds that a model adds to the label that it gave, and what that label adds to them.

    `wholes` and `by_label` are aligned with `models`, sorted; `none` are the log odds that no model is right. At first
    all models have the same vote. `heard` counts the feedbacks, in the mean over the models. Unlike a record, it
    learns what a model is worth beside the others: two that make the same mistakes get one vote between them.
    """

    models: tuple[str, ...] = ()
    none: Weight = field(default_factory=lambda: [0.0, 1.0])
    wholes: list[Weight] = []
    by_label: list[dict[Label, Weight]] = []
    heard: int = 0

    def with_models(self, models: Sequence[str]) -> OwnVote:
        """A new vote of these models: those that join have the vote that all began with; nothing was heard of them."""
        names = tuple(sorted(set(models)))
        places = [self.models.index(name) if name in self.models else None for name in names]
        wholes = [[1.0, 1.0] if i is None else list(self.wholes[i]) for i in places]
        by_label = [{} if i is None else {k: list(v) for k, v in self.by_label[i].items()} for i in places]
        known = len(places) - places.count(None)
        heard = self.heard * known // max(1, len(names))
        return OwnVote(names, list(self.none), wholes, by_label, heard)

    def scores(self, labels: Sequence[Label], predictions: Predictions) -> list[float]:
        """Log odds of these labels, and of none of them last."""
        scores = [0.0] * len(labels)
        for i, model in enumerate(self.models):
            if model in predictions:
                label = predictions[model].output
                word = self.by_label[i].get(label)
                scores[labels.index(label)] += self.wholes[i][0] + (word[0] if word else 0.0)
        return [*scores, self.none[0]]

    def learn(self, predictions: Predictions, right: Mapping[str, bool]) -> None:
        """One feedback, in place: of these models it is known whether they were right."""
        said = {model: predictions[model].output for model in self.models if model in predictions}
        labels = list(dict.fromkeys(said.values()))
        chances = softmax(self.scores(labels, predictions))
        truth = _truth(labels, said, chances, right)
        if truth is None:
            return
        residuals = list(map(sub, truth, chances))
        step(self.none, residuals[-1], _RATE)
        for model, whole, by_label in zip(self.models, self.wholes, self.by_label, strict=True):
            if model in said:
                label = said[model]
                residual = residuals[labels.index(label)]
                step(whole, residual, _RATE)
                if label in by_label or len(by_label) < LABELS:
                    step(by_label.setdefault(label, [0.0, 1.0]), residual, _RATE)
        self.heard += 1


def _truth(
    labels: Sequence[Label], said: Mapping[str, Label], chances: Sequence[float], right: Mapping[str, bool]
) -> list[float] | None:
    """The chance of each label, and of none, now that it is known who was right; None if that tells nothing."""
    judged = {label: right[model] for model, label in said.items() if model in right}
    if not judged:
        return None
    for answer, is_right in judged.items():
        if is_right:
            return [float(label == answer) for label in labels] + [0.0]
    left = [0.0 if label in judged else chance for label, chance in zip(labels, chances, strict=False)]
    left.append(chances[-1])
    return [chance / sum(left) for chance in left]
