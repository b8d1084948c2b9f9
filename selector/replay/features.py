"""Contexts as numbers that a linear model can use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from selector.replay.logged import Column, Floats

LEVELS = 32
"""Categories of one column that are told apart; those seen less often are one."""
SAMPLE = 20_000
"""Rows from which categories and knots are taken."""
_KNOTS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.97)


class _Categories(Struct, frozen=True):
    levels: NDArray[Any]

    def encode(self, column: Column) -> Floats:
        encoded: Floats = (_as_text(column)[:, None] == self.levels).astype(np.float64)
        return encoded


class _Number(Struct, frozen=True):
    mean: float
    scale: float
    knots: Floats

    def encode(self, column: Column) -> Floats:
        x = column.astype(np.float64)
        line = np.nan_to_num((x - self.mean) / self.scale).clip(-5.0, 5.0)
        return np.column_stack([line, line**2 - 1.0, x[:, None] > self.knots]).astype(np.float64)


class Encoder:
    """One-hot categories; numbers as a line, a parabola and steps at their quantiles, so that curves can be followed.

    A column of text, or of integers with at most 32 values, holds categories.
    """

    def __init__(self, contexts: Mapping[str, Column]) -> None:
        sample = {name: column[:SAMPLE] for name, column in contexts.items()}
        self._parts = {name: _part(column) for name, column in sample.items()}

    def encode(self, contexts: Mapping[str, Column]) -> Floats:
        """[n, d], the first column constant."""
        n = len(next(iter(contexts.values())))
        return np.hstack([np.ones((n, 1)), *(part.encode(contexts[name]) for name, part in self._parts.items())])


def _part(column: Column) -> _Categories | _Number:
    if column.dtype.kind in "OUSb" or (column.dtype.kind in "iu" and len(np.unique(column)) <= LEVELS):
        levels, counts = np.unique(_as_text(column), return_counts=True)
        return _Categories(levels[np.argsort(-counts, kind="stable")[:LEVELS]])
    x = column.astype(np.float64)
    x = x[np.isfinite(x)] if np.isfinite(x).any() else np.zeros(1)
    knots = np.unique(np.quantile(x, _KNOTS))
    return _Number(float(x.mean()), float(x.std()) or 1.0, knots[knots < x.max()])


def _as_text(column: Column) -> Column:
    return column if column.dtype.kind in "iuUS" else column.astype(str)
