"""What outputs and labels of an application may be: checked and mapped at the edge, so that one model fails alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from selector.decisions import Label, Prediction
from selector.errors import InvalidLabel
from selector.losses import number
from selector.policy import Task


class Vocabulary(Protocol):
    """What an application's models and clients may say."""

    def of(self, label: Label) -> Label:
        """The label as the application has it. Raises InvalidLabel if it has none like it."""

    def of_prediction(self, prediction: Prediction) -> Prediction:
        """The prediction in the application's terms. Raises InvalidLabel if it says anything else."""


class Numbers:
    """Regression: finite numbers."""

    def of(self, label: Label) -> Label:
        """See Vocabulary."""
        return number(label)

    def of_prediction(self, prediction: Prediction) -> Prediction:
        """See Vocabulary."""
        number(prediction.output)
        return prediction


class ClassNames:
    """Maps a label to the listed class that it is, equals as a number, or is written like.

    With `classes = [3]`, 3.0 and "3" are the class 3. A listed class always maps to itself.
    """

    def __init__(self, classes: Sequence[Label]) -> None:
        self._classes: dict[tuple[type, Label], Label] = {}
        for name in classes:
            self._classes.setdefault((str, str(name)), name)
        for name in classes:
            if isinstance(name, int | float) and not isinstance(name, bool):
                for kind in (int, float):
                    self._classes.setdefault((kind, name), name)
        for name in classes:
            self._classes[type(name), name] = name
        self._listed = ", ".join(str(name) for name in classes)

    def of(self, label: Label) -> Label:
        """The class of `label`. Raises InvalidLabel if it is none of them."""
        try:
            return self._classes[type(label), label]
        except KeyError:
            raise InvalidLabel(f"{label!r} is not one of the classes {self._listed}") from None

    def of_prediction(self, prediction: Prediction) -> Prediction:
        """The prediction in terms of the classes. Raises InvalidLabel if it is about another class."""
        output = self.of(prediction.output)
        if prediction.probabilities is None:
            return prediction if output is prediction.output else replace(prediction, output=output)
        probabilities = tuple([(self.of(name), p) for name, p in prediction.probabilities])
        return replace(prediction, output=output, probabilities=probabilities)


def vocabulary_of(task: Task, classes: Sequence[Label] | None) -> Vocabulary | None:
    """What may be said for this task; None where any class will do."""
    if task == "regression":
        return Numbers()
    return None if classes is None else ClassNames(classes)
