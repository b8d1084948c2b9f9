"""Cells of CSV and Parquet as labels, numbers and text."""

from __future__ import annotations

import re
from math import isfinite, isnan

from msgspec import ValidationError, convert

from selector.decisions import Feature, Label
from selector.errors import InvalidLabel
from serving import fields
from serving.vocabulary import Vocabulary

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*|(?=\.[0-9]))(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_EXACT = 2**53  # whole numbers below are exact as floats


def value_of(cell: object) -> Label | None:
    """What a cell says: a number if it is written as one, else text; None if it is empty.

    Whole numbers are integers, however they are written. Raises InvalidLabel for what is neither number nor text.

    >>> [value_of(cell) for cell in ("3", "3.0", ".5", "007", " ham ", "", None, float("nan"))]
    [3, 3, 0.5, '007', 'ham', None, None, None]
    """
    value = cell.strip() if isinstance(cell, str) else cell
    if value is None or value == "" or (isinstance(value, float) and isnan(value)):
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value) if set(value) & set(".eE") else int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    try:
        label: Label = convert(value, fields.Label)
    except ValidationError:
        raise InvalidLabel(f"expected a number or text, found {cell!r}") from None
    return label


def label_of(cell: object, vocabulary: Vocabulary | None) -> Label | None:
    """A cell in the application's terms, None if it is empty. Raises InvalidLabel.

    What is written goes before the number that it may be: a class may be a text of digits.
    """
    value = value_of(cell)
    if value is None or vocabulary is None:
        return value
    try:
        return vocabulary.of(cell.strip() if isinstance(cell, str) else value)
    except InvalidLabel:
        return vocabulary.of(value)


def number_of(cell: object) -> float | None:
    """A finite number of at least 0, None if the cell is empty. Raises InvalidLabel."""
    value = value_of(cell)
    if value is None:
        return None
    if isinstance(value, str) or not isfinite(value) or value < 0:
        raise InvalidLabel(f"expected a number of at least 0, found {cell!r}")
    return float(value)


def score_of(cell: object) -> float | None:
    """A number from 0 to 1, None if the cell is empty. Raises InvalidLabel."""
    value = number_of(cell)
    if value is not None and value > 1:
        raise InvalidLabel(f"expected a score from 0 to 1, found {cell!r}")
    return value


def feature_of(cell: object) -> Feature | None:
    """A number or text, None if the cell is empty. Raises InvalidLabel."""
    value = value_of(cell)
    return int(value) if isinstance(value, bool) else value


def user_of(cell: object) -> str | None:
    """A name as it is written, None if the cell is empty. Raises InvalidLabel."""
    value = value_of(cell)
    if value is None:
        return None
    try:
        name: str = convert(cell.strip() if isinstance(cell, str) else str(value), fields.User)
    except ValidationError as error:
        raise InvalidLabel(f"expected a user's name, found {cell!r} ({error})") from None
    return name
