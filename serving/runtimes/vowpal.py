"""Vowpal Wabbit models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from vowpalwabbit import Workspace

from selector.decisions import Label
from serving.runtimes import Inputs, Returned


class Vowpal:
    """A saved model: regression, or multiclass (`--oaa`, `--csoaa`, ...).

    Value i of an array is the feature named `i` of the default namespace (`| 0:0.5 1:2`), zeros left
    out; text is its words, in which `|` and `:`, which mean something to VW, are `_`. Train it so.
    Class k of VW, from 1, is the k-th of the model's `classes`, or k itself without them. With
    `probabilities` a model of `--oaa` and logistic loss tells those of all classes.
    """

    def __init__(
        self,
        artifact: Path,
        device: str,  # noqa: ARG002
        classes: Sequence[Label] | None,
        /,
        probabilities: bool = False,
    ) -> None:
        self.classes = classes
        arguments = ["--quiet", "--testonly", "--initial_regressor", str(artifact)]
        self._workspace = Workspace(arg_list=arguments + ["--probabilities"] * probabilities)

    def predict_batch(self, inputs: Inputs) -> Returned:
        line = _numbers if isinstance(inputs, np.ndarray) else _words
        rows = [self._workspace.predict(line(row)) for row in inputs]
        return [self.classes[row - 1] if self.classes and isinstance(row, int) else row for row in rows]


def _numbers(row: np.ndarray[Any, Any]) -> str:
    values = row.ravel().astype(float)
    return "| " + " ".join(f"{index}:{values[index]:.9g}" for index in np.flatnonzero(values))


def _words(row: str | bytes) -> str:
    text = row.decode(errors="replace") if isinstance(row, bytes) else row
    return "| " + " ".join(re.sub(r"[|:]", "_", text).split())
