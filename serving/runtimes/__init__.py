"""Runtimes: how models of one framework are loaded and asked. A new one is one file here and one line in RUNTIMES."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Protocol, cast

import numpy as np

from selector.decisions import Label
from selector.errors import InvalidSetting

Inputs = np.ndarray[Any, Any] | list[Any]
"""An array [n, *shape] for numeric datatypes; a list of n bytes (BYTES) or n values (JSON)."""


Returned = np.ndarray[Any, Any] | Sequence[Any]
"""One row for each input: a label or number, a vector of probabilities, or a mapping (`serving.workers.rows`)."""


class Runtime(Protocol):
    """A loaded model: made by calling its kind with (artifact, device, classes, **options).

    `artifact` is a file under the model root; `device` is `auto`, `cpu`, `cuda` or `cuda:1`.
    `classes` names the columns of a vector of probabilities, None if the model returns none.
    """

    classes: Sequence[Label] | None

    def predict_batch(self, inputs: Inputs) -> Returned:
        """One row for each input, in their order."""


RUNTIMES: Mapping[str, str] = {
    "python": "serving.runtimes.python:Python",
    "sklearn": "serving.runtimes.sklearn:Sklearn",
    "torch": "serving.runtimes.torch:Torch",
    "vowpal": "serving.runtimes.vowpal:Vowpal",
}
"""Where each runtime is: imported when used, so that no worker pays for another's framework."""


def load(
    name: str,
    artifact: str | None,
    device: str,
    classes: Sequence[Label] | None,
    options: Mapping[str, Any],
    model_root: Path,
) -> Runtime:
    """The model, loaded. Raises InvalidSetting for an artifact outside the model root, and what the runtime raises."""
    make = resolve_name(RUNTIMES[name])
    place = artifact if name == "python" or artifact is None else artifact_path(model_root, artifact)
    return cast("Runtime", make(place, device, classes, **options))


def artifact_path(model_root: Path, artifact: str) -> Path:
    """The artifact's file, links followed. Raises InvalidSetting unless it is a file under the model root."""
    root = model_root.resolve()
    path = (root / artifact).resolve()
    if not path.is_relative_to(root):
        raise InvalidSetting(f"artifact {artifact!r} is outside the model root {root}")
    if not path.is_file():
        raise InvalidSetting(f"artifact {artifact!r} is not a file under {root}")
    return path
