"""Logged decisions as a table: what was chosen, how likely that was, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selector.replay.errors import InvalidLog

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Column = NDArray[Any]


class LoggedDecisions:
    """n decisions of one application, in the order in which they were made unless `times` says another.

    `actions` [n] are what was chosen, integers or names; `rewards` [n], best in [0, 1], what came of it;
    `probabilities` [n] in (0, 1] how likely that choice was when it was made. `contexts` are what was known before: an
    array [n, d], or columns by name, numbers or categories. Decisions of one of `users` [n] are not independent, and
    intervals allow for it. `keys` are further columns by name, on which candidates and segments may be joined.
    Raises InvalidLog on columns of different lengths, on no rows, on rewards that are not finite, and on probabilities
    outside (0, 1].
    """

    def __init__(
        self,
        actions: ArrayLike,
        rewards: ArrayLike,
        probabilities: ArrayLike,
        contexts: ArrayLike | Mapping[str, ArrayLike] | None = None,
        users: ArrayLike | None = None,
        times: ArrayLike | None = None,
        keys: ArrayLike | Mapping[str, ArrayLike] | None = None,
    ) -> None:
        self.actions: Column = np.asarray(actions)
        self.rewards = _numbers("rewards", rewards)
        self.probabilities = _numbers("probabilities", probabilities)
        self.contexts = _columns("context", contexts)
        self.users: Column | None = None if users is None else np.asarray(users)
        self.times: Column | None = None if times is None else np.asarray(times)
        self.keys = _columns("key", keys)
        self._check()

    def __len__(self) -> int:
        return len(self.actions)

    def _check(self) -> None:
        columns = {"actions": self.actions, "rewards": self.rewards, "probabilities": self.probabilities}
        columns |= {f"context {name!r}": column for name, column in self.contexts.items()}
        columns |= {f"key {name!r}": column for name, column in self.keys.items()}
        columns |= {n: c for n, c in (("users", self.users), ("times", self.times)) if c is not None}
        for name, column in columns.items():
            if column.ndim != 1 or len(column) != len(self.actions):
                raise InvalidLog(f"{name}: expected {len(self.actions)} values, one a decision, found {column.shape}")
        if len(self) == 0:
            raise InvalidLog("the log is empty: there is no decision to learn from")
        if self.users is not None and self.users.dtype == object:
            _check_rows(np.array([user is not None for user in self.users]), self.users, "a decision needs a user")
        check_numbers(self.rewards, self.probabilities)

    def order(self) -> Integers:
        """The rows in the order in which they were made."""
        return np.arange(len(self)) if self.times is None else np.argsort(self.times, kind="stable")


def check_numbers(rewards: Floats, probabilities: Floats, first: int = 1) -> None:
    """Raise InvalidLog on what is no reward or no probability; `first` is the number of the first row."""
    _check_rows(np.isfinite(rewards), rewards, "a reward must be a finite number", first)
    possible = (probabilities > 0) & (probabilities <= 1 + 1e-9)
    _check_rows(possible, probabilities, "the probability of what was chosen must be above 0 and at most 1", first)


def _check_rows(valid: NDArray[np.bool_], column: Column, rule: str, first: int = 1) -> None:
    if not valid.all():
        row = int(np.argmin(valid))
        raise InvalidLog(f"{rule}; row {first + row} has {column[row]} ({int((~valid).sum())} such rows)")


def _numbers(name: str, values: ArrayLike) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidLog(f"{name}: expected numbers ({error})") from None


def _columns(kind: str, values: ArrayLike | Mapping[str, ArrayLike] | None) -> dict[str, Column]:
    if values is None:
        return {}
    if isinstance(values, Mapping):
        return {str(name): np.asarray(column) for name, column in values.items()}
    if isinstance(values, Sequence) and values and isinstance(values[0], Mapping):
        names = dict.fromkeys(name for row in values for name in row)  # type: ignore[union-attr]
        for row, found in enumerate(values, 1):
            if len(found) < len(names):
                raise InvalidLog(f"{kind}: row {row} lacks {next(n for n in names if n not in found)!r}")
        return {str(name): np.asarray([row[name] for row in values]) for name in names}  # type: ignore[index]
    table = np.asarray(values)
    table = table[:, None] if table.ndim == 1 else table
    return {f"{kind}_{j}": table[:, j] for j in range(table.shape[1])}
