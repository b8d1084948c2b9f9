"""Guesses that know nothing of the input: what a model must beat to be of any use."""

from __future__ import annotations

from collections import Counter, deque

from selector.decisions import Label, Prediction
from selector.errors import InvalidLabel
from selector.losses import Loss
from selector.policy import Task

_MEMORY = 1_000.0  # labels
_LABELS = 1_000  # different ones that are counted
_APART = 100  # labels that are so far apart are taken to know nothing of each other


class Guess:
    """The most frequent label so far, or the mean of all: its `loss`, known from a few labels on.

    `chance` is what the label of another query loses as a guess: what a model does that says each label as often
    as it comes, but of any input.
    """

    def __init__(self, loss: Loss, task: Task) -> None:
        self._loss = loss
        self._numbers = task == "regression"
        self._counts: Counter[Label] = Counter()
        self._mode: Label = ""
        self._mean = 0.0
        self._n = 0.0
        self._total = 0.0
        self._past: deque[Label] = deque(maxlen=_APART)
        self._strangers = 0.0
        self._strange = 0.0

    @property
    def loss(self) -> float | None:
        """Its mean loss over the last thousand labels or so, each guessed before it was known."""
        return self._total / self._n if self._n >= 10 else None

    @property
    def chance(self) -> float | None:
        """The mean loss of a guess by another query's label, over the last thousand or so."""
        return self._strange / self._strangers if self._strangers >= 10 else None

    def learn(self, label: Label) -> None:
        """The next label."""
        if self._n > 0:
            self._total += self._missed_by(self._mean if self._numbers else self._mode, label)
        if len(self._past) == _APART:
            self._strangers += 1.0
            self._strange += self._missed_by(self._past[0], label)
        self._past.append(label)
        self._n += 1.0
        if self._numbers:
            self._mean += (float(label) - self._mean) / min(self._n, _MEMORY)
        elif len(self._counts) < _LABELS or label in self._counts:
            self._counts[label] += 1
            if self._counts[label] >= self._counts[self._mode]:
                self._mode = label
        if self._n > _MEMORY:
            self._n, self._total = self._n / 2, self._total / 2
            self._strangers, self._strange = self._strangers / 2, self._strange / 2
            self._counts = Counter({seen: count // 2 for seen, count in self._counts.items() if count > 1})

    def _missed_by(self, guess: Label, label: Label) -> float:
        try:
            return self._loss(Prediction(guess), label)
        except InvalidLabel:
            return 1.0
