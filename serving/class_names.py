"""An application's listed classes: what models and clients say is mapped to them at the edge."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from selector.decisions import Label, Prediction
from selector.errors import InvalidLabel


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
