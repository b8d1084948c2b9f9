"""Candidates from files: the probability of each action, for all decisions or joined to them by columns of the log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from selector.replay import InvalidCandidate, InvalidLog
from selector.replay.logged import Floats
from serving.replaying.tables import Chunk, as_text, chunks, columns_of
from serving.settings import unknown

PROBABILITY = "prob"


class CandidateFile(Struct, frozen=True):
    """How a file speaks of probabilities: `keys` are joined to the log; the rest is `prob`, or a column an action.

    Without keys, its rows are those of the log one by one, or one row for all.
    """

    name: str
    path: Path
    keys: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def long(self) -> bool:
        """Whether each row has the probability of one action."""
        return self.columns == (PROBABILITY,)


def describe(name: str, path: Path, action: str, log_columns: Sequence[str]) -> CandidateFile:
    """What a file's columns are. Raises InvalidCandidate."""
    columns = columns_of(path)
    keys = tuple(column for column in columns if column in log_columns and column != PROBABILITY)
    rest = tuple(column for column in columns if column not in keys)
    if PROBABILITY in rest:
        if strange := [column for column in rest if column != PROBABILITY]:
            raise InvalidCandidate(f"{path}: {unknown('column', strange[0], log_columns)}")
        if action not in keys:
            raise InvalidCandidate(f"{path}: {PROBABILITY!r} is of one action, but there is no column {action!r}")
        return CandidateFile(name, path, tuple(key for key in keys if key != action), (PROBABILITY,))
    if not rest:
        raise InvalidCandidate(f"{path}: expected a column {PROBABILITY!r}, or one for each action")
    return CandidateFile(name, path, keys, rest)


class Joined:
    """The table of a candidate with join keys: a row of probabilities [k] for each value of the keys."""

    def __init__(self, file: CandidateFile, action: str, actions: Sequence[str]) -> None:
        self.file = file
        self._places: dict[Any, int] = {}
        self._rows: list[Floats] = []
        self._actions = {name: j for j, name in enumerate(actions)}
        for chunk in chunks(file.path):
            keys = _keys(chunk, file.keys)
            if file.long:
                self._add_long(chunk, keys, action)
            else:
                self._add_wide(chunk, keys)
        if not self._rows:
            raise InvalidCandidate(f"{file.path} has no rows")

    @property
    def table(self) -> Floats:
        """[g, k]"""
        return np.array(self._rows)

    def codes(self, chunk: Chunk) -> Sequence[int]:
        """The row of the table for each row of the log. Raises InvalidCandidate where there is none."""
        if not self.file.keys:
            return [0] * len(chunk)
        places = self._places
        try:
            return [places[key] for key in _keys(chunk, self.file.keys)]
        except KeyError as error:
            missing = ", ".join(f"{k} {v}" for k, v in zip(self.file.keys, error.args[0], strict=True))
            raise InvalidCandidate(f"{self.file.path} says nothing of {missing}, which the log has") from None

    def _row(self, key: Any) -> Floats:
        if key not in self._places:
            self._places[key] = len(self._rows)
            self._rows.append(np.zeros(len(self._actions)))
        return self._rows[self._places[key]]

    def _add_long(self, chunk: Chunk, keys: Sequence[Any], action: str) -> None:
        triples = zip(keys, chunk.text(action), chunk.numbers(PROBABILITY).tolist(), strict=True)
        for key, name, probability in triples:
            self._row(key)[self._actions[name]] += probability

    def _add_wide(self, chunk: Chunk, keys: Sequence[Any]) -> None:
        table = wide(chunk, self.file, self._actions)
        for key, row in zip(keys, table, strict=True):
            if key in self._places:
                raise InvalidCandidate(f"{self.file.path} has more than one row for {', '.join(map(str, key))}")
            self._row(key)[:] = row


def wide(chunk: Chunk, file: CandidateFile, actions: dict[str, int]) -> Floats:
    """[n, k] from a column an action."""
    table = np.zeros((len(chunk), len(actions)))
    for column in file.columns:
        table[:, actions[as_text(column)]] = chunk.numbers(column)
    return table


def actions_of(file: CandidateFile, action: str) -> set[str]:
    """The actions that a file names."""
    if not file.long:
        return {as_text(column) for column in file.columns}
    return {name for chunk in chunks(file.path) for name in chunk.text(action)}


def rows_of(file: CandidateFile) -> int:
    """How many rows it has."""
    return sum(len(chunk) for chunk in chunks(file.path))


def _keys(chunk: Chunk, keys: Sequence[str]) -> Sequence[Any]:
    if not keys:
        return [()] * len(chunk)
    return list(zip(*(chunk.text(key) for key in keys), strict=True))


def parse(pairs: Sequence[str]) -> dict[str, Path]:
    """`NAME=FILE` each. Raises InvalidCandidate."""
    found: dict[str, Path] = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not equals or not name or not path:
            raise InvalidCandidate(f"--candidate: expected NAME=FILE, found {pair!r}")
        if not Path(path).is_file():
            raise InvalidLog(f"no file {path}")
        if name in found:
            raise InvalidCandidate(f"--candidate: {name!r} is given twice")
        found[name] = Path(path)
    return found
