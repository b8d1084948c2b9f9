"""The log as the estimators read it: coded, in parts of bounded size, as often as they like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from msgspec import Struct

from selector.replay.errors import InvalidCandidate
from selector.replay.features import Encoder
from selector.replay.logged import Column, Floats, Integers, LoggedDecisions

ROWS = 100_000
"""Rows of one part: what is in memory at once."""
_SUM = 2e-3  # how far probabilities may be from summing to one: published ones are rounded


class Part(Struct, frozen=True):
    """Some n decisions in a row, k actions, d features.

    `actions` are columns of `chances`, which has one [n, k] for each stationary candidate; `users` are codes, `names`
    the users themselves; `features` are `contexts` as numbers; `predicted` [n, k] are given expectations of the reward.
    """

    actions: Integers
    rewards: Floats
    probabilities: Floats
    chances: Sequence[Floats]
    users: Integers | None = None
    features: Floats | None = None
    predicted: Floats | None = None
    contexts: Mapping[str, Column] = {}
    names: Column | None = None

    def __len__(self) -> int:
        return len(self.actions)


class Lookup(Struct, frozen=True):
    """Probabilities that depend on what few values a decision has: `table` [g, k], and the row [n] of each decision."""

    table: Floats
    rows: Integers

    def __getitem__(self, rows: slice | Integers) -> Floats:
        chances: Floats = self.table[self.rows[rows]]
        return chances


Matrix = Floats | Lookup


class Source(Protocol):
    """A log with candidates for it. `actions` are names in the order of the columns of chances."""

    @property
    def actions(self) -> Sequence[str]: ...
    @property
    def candidates(self) -> Sequence[str]: ...

    def parts(self) -> Iterator[Part]:
        """All of it, from the start, in the order in which decisions were made."""


class Memory:
    """A log in arrays, with a matrix [n, k] (or a row [k] for all) of probabilities for each candidate.

    `names` of actions are given where `log.actions` are their codes. Arrays may be files mapped into memory.
    """

    def __init__(
        self,
        log: LoggedDecisions,
        matrices: Mapping[str, Matrix],
        predicted: Floats | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        self.candidates = list(matrices)
        self.actions, self._codes = _coded(log, matrices, predicted, names)
        for name, matrix in matrices.items():
            check_matrix(name, matrix, len(log), len(self.actions))
        if predicted is not None:
            _check_predicted(predicted, len(log), len(self.actions))
        self._log, self._matrices, self._predicted = log, list(matrices.values()), predicted
        self._order = None if log.times is None else log.order()
        self._users = None if log.users is None else np.unique(log.users, return_inverse=True)[1]
        self._encoder = Encoder(log.contexts) if log.contexts and predicted is None else None

    def parts(self) -> Iterator[Part]:
        """See Source."""
        n = len(self._log)
        for start in range(0, n, ROWS):
            rows = slice(start, start + ROWS)
            yield self._part(rows if self._order is None else self._order[rows])

    def _part(self, rows: slice | Integers) -> Part:
        log = self._log
        actions = self._codes[rows]
        contexts = {name: column[rows] for name, column in log.contexts.items()}
        return Part(
            actions,
            log.rewards[rows],
            log.probabilities[rows],
            [_rows(matrix, rows, len(actions)) for matrix in self._matrices],
            None if self._users is None else self._users[rows],
            None if self._encoder is None else self._encoder.encode(contexts),
            None if self._predicted is None else self._predicted[rows],
            contexts,
            None if log.users is None else log.users[rows],
        )


def _coded(
    log: LoggedDecisions, matrices: Mapping[str, Matrix], predicted: Floats | None, names: Sequence[str] | None
) -> tuple[Sequence[str], Integers]:
    if names is not None:
        return names, log.actions
    tables = [*matrices.values(), *([] if predicted is None else [predicted])]
    return code_actions(log.actions, _table(tables[0]).shape[-1] if tables else None)


def _table(matrix: Matrix) -> Floats:
    return matrix.table if isinstance(matrix, Lookup) else matrix


def _rows(matrix: Matrix, rows: slice | Integers, n: int) -> Floats:
    if isinstance(matrix, Lookup) or matrix.ndim == 2:
        return matrix[rows]
    return np.broadcast_to(matrix, (n, len(matrix)))


def code_actions(actions: Column, columns: int | None) -> tuple[list[str], Integers]:
    """Names of the actions, and each row's as a column of the candidates' matrices, of which there are `columns`.

    Integers in [0, columns) are columns; other actions stand in sorted order.
    """
    if actions.dtype.kind in "iu" and int(actions.min()) >= 0:
        top = int(actions.max()) + 1
        if columns is not None and top <= columns:
            return [str(a) for a in range(columns)], actions.astype(np.intp)
    kind = actions if actions.dtype.kind in "iuUS" else actions.astype(str)
    names, codes = np.unique(kind, return_inverse=True)
    if columns is not None and len(names) != columns:
        raise InvalidCandidate(f"candidates have {columns} columns, the log has {len(names)} different actions")
    return [str(name) for name in names], codes.astype(np.intp)


def check_matrix(name: str, candidate: Matrix, rows: int, actions: int) -> None:
    """Raise InvalidCandidate unless each of `rows` rows (or the only one) is a distribution over `actions`."""
    matrix = _table(candidate)
    rows = len(matrix) if isinstance(candidate, Lookup) else rows
    if matrix.shape not in ((rows, actions), (actions,)):
        found = " x ".join(map(str, matrix.shape))
        raise InvalidCandidate(f"candidate {name!r}: expected {rows} x {actions} probabilities, found {found}")
    sums = matrix.sum(axis=-1, keepdims=True)
    wrong = ~(np.abs(sums - 1.0) <= _SUM) | ~(matrix.min(axis=-1, keepdims=True) >= 0.0)
    if wrong.any():
        row = int(np.argmax(wrong.ravel()))
        least, total = matrix.min(axis=-1).ravel()[row], sums.ravel()[row]
        said = f"one of row {row + 1} is {least:.6g}" if least < 0 else f"those of row {row + 1} sum to {total:.6g}"
        raise InvalidCandidate(
            f"candidate {name!r}: probabilities must be at least 0 and sum to one; {said} ({wrong.sum()} such rows)"
        )


def _check_predicted(predicted: Floats, rows: int, actions: int) -> None:
    if predicted.shape != (rows, actions) or not np.isfinite(predicted).all():
        found = " x ".join(map(str, predicted.shape))
        raise InvalidCandidate(f"reward_model: expected {rows} x {actions} finite numbers, found {found}")
