"""What a model returns for one input, checked and brought into one form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any

import numpy as np

from selector.decisions import Label, Prediction
from selector.errors import WindjammerError

_PLAIN_ARRAYS = "?bhilqBHILQefdU"  # numpy's type characters that `tolist` turns into labels
_PLAIN_TYPES = {bool, int, float, str}
_KEYS = ("output", "score", "probabilities", "cost")
_TOLERANCE = 0.01  # of the sum of probabilities: half precision is that rough


class InvalidRow(WindjammerError):
    """A row that is not a prediction."""

    phrase = "Invalid prediction"


def plain_labels(returned: Any) -> list[Label] | None:
    """All rows at once, if each is a plain label or a finite number: the usual case. Else None."""
    if isinstance(returned, np.ndarray):
        if returned.ndim != 1 or returned.dtype.char not in _PLAIN_ARRAYS:
            return None
        labels: list[Label] = returned.tolist()
    else:
        labels = list(returned)
    kinds = set(map(type, labels))
    if not kinds <= _PLAIN_TYPES or (float in kinds and not _finite(labels)):
        return None
    return labels


def _finite(labels: list[Any]) -> bool:
    return all(isfinite(label) for label in labels if type(label) is float)


def read_row(row: object, classes: Sequence[Label] | None) -> Prediction:
    """A label or number; a vector of probabilities of `classes`; or a mapping of output, score, probabilities, cost.

    A vector of one number without classes is that number. Raises InvalidRow.
    """
    row = _python(row)
    if isinstance(row, Mapping):
        return _mapping(row, classes)
    if not isinstance(row, list | tuple):
        return Prediction(_label(row))
    if len(row) == 1 and classes is None:
        return Prediction(_label(row[0]))
    distribution = _distribution(row, classes)
    output, score = max(distribution, key=lambda pair: pair[1])
    return Prediction(output, min(score, 1.0), distribution)


def _mapping(row: Mapping[Any, Any], classes: Sequence[Label] | None) -> Prediction:
    unknown = [key for key in row if key not in _KEYS]
    if unknown or "output" not in row:
        raise InvalidRow(f"expected a mapping of {', '.join(_KEYS)}; found {', '.join(map(repr, row))}")
    output = _label(_python(row["output"]))
    given = _python(row.get("probabilities"))
    distribution = None if given is None else _distribution(given, classes)
    score = _amount(row.get("score"), "score", 1.0)
    if score is None and distribution is not None:
        score = dict(distribution).get(output)
    return Prediction(output, score, distribution, _amount(row.get("cost"), "cost", inf))


def _distribution(given: Any, classes: Sequence[Label] | None) -> tuple[tuple[Label, float], ...]:
    if isinstance(given, Mapping):
        classes, given = [_label(_python(label)) for label in given], [_python(p) for p in given.values()]
    if classes is None:
        raise InvalidRow(f"a vector of {len(given)} values, but the model has no `classes`")
    if len(given) != len(classes):
        raise InvalidRow(f"{len(given)} probabilities for {len(classes)} classes")
    try:
        total, least = sum(given), min(given)
    except TypeError:
        raise InvalidRow(f"not probabilities: {_shown(given)}") from None
    if not (abs(total - 1.0) <= _TOLERANCE and least >= 0.0):  # so that NaN fails too
        raise InvalidRow(f"not probabilities: they sum to {total:.6g}, the least is {least:.6g}")
    return tuple(zip(classes, map(float, given), strict=True))


def _label(value: object) -> Label:
    if not isinstance(value, bool | int | float | str):
        raise InvalidRow(f"expected a label or a number, found {type(value).__name__} {_shown(value)}")
    if isinstance(value, float) and not isfinite(value):
        raise InvalidRow(f"{value} is not a finite number")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidRow("an integer of more than 64 bits")
    if isinstance(value, str) and not value.isascii():
        _check_text(value)
    return value


def _check_text(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRow(f"{value!a} is not valid Unicode") from None


def _amount(value: object, name: str, limit: float) -> float | None:
    value = _python(value)
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 <= value <= limit or not isfinite(value):
        raise InvalidRow(f"{name}: expected a number from 0 to {limit:g}, found {_shown(value)}")
    return float(value)


def _python(value: Any) -> Any:
    """A scalar or array of numpy, torch or their like as plain Python."""
    return value.tolist() if hasattr(value, "tolist") else value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
