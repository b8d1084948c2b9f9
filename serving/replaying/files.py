"""A log in a file, parsed once into columns on disk, which are mapped into memory as they are read."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from selector.replay import InvalidCandidate, InvalidLog, LoggedDecisions
from selector.replay.features import LEVELS
from selector.replay.source import Lookup, Matrix
from serving.replaying import mapping as roles
from serving.replaying.candidates import CandidateFile, Joined, actions_of, describe, rows_of, wide
from serving.replaying.columns import Codes, StoredColumn
from serving.replaying.tables import Advance, Chunk, chunks, columns_of


class ParsedLog(Struct, frozen=True):
    """A log with coded actions, its candidates, and the levels of the column by which it is cut into segments."""

    log: LoggedDecisions
    actions: Sequence[str]
    matrices: dict[str, Matrix]
    segments: dict[str, NDArray[np.intp]] = {}


@contextmanager
def parsed(
    path: Path, mapping: roles.Mapping, candidates: Mapping[str, Path], by: str | None, advance: Advance
) -> Iterator[ParsedLog]:
    """The log at `path` with candidates from files. Raises InvalidLog or InvalidCandidate.

    The columns that are needed lie in a temporary folder as long as the context lasts.
    """
    columns = columns_of(path)
    mapping.check(columns, [] if by is None else [by])
    files = [describe(name, file, mapping.action, columns) for name, file in candidates.items()]
    with tempfile.TemporaryDirectory(prefix="windjammer-replay-") as folder:
        parser = _Parser(path, mapping, files, by, Path(folder))
        try:
            yield parser.parse(advance)
        finally:
            parser.close()


class _Parser:
    def __init__(
        self, path: Path, mapping: roles.Mapping, files: Sequence[CandidateFile], by: str | None, folder: Path
    ) -> None:
        self.path, self.mapping, self.files, self.by, self.folder = path, mapping, files, by, folder
        named = sorted(set().union(*(actions_of(file, mapping.action) for file in files)), key=_natural)
        self.actions, self.users, self.levels = Codes(named), Codes(), Codes()
        self.named = len(named)
        self.joined = {f.name: Joined(f, mapping.action, named) for f in files if f.long or f.keys or rows_of(f) == 1}
        self.aligned = [file for file in files if file.name not in self.joined]
        self.contexts: dict[str, Codes | None] = {}
        self.columns: dict[str, StoredColumn] = {}

    def parse(self, advance: Advance) -> ParsedLog:
        """Read the log once."""
        for chunk in chunks(self.path, advance=advance):
            if len(chunk):
                self._take(chunk)
        if not self.columns:
            raise InvalidLog(f"{self.path} has no decisions: there is nothing to learn from")
        n = len(self._mapped("reward"))
        log = LoggedDecisions(
            self._mapped("action"),
            self._mapped("reward"),
            self._mapped("probability"),
            {name: self._mapped(f"context {name}") for name in self.contexts} or None,
            self._mapped("user") if self.mapping.user else None,
            self._mapped("time") if self.mapping.time else None,
        )
        matrices: dict[str, Matrix] = {name: self._lookup(each) for name, each in self.joined.items()}
        matrices |= {file.name: self._align(file, n) for file in self.aligned}
        matrices = {file.name: matrices[file.name] for file in self.files}
        return ParsedLog(log, list(self.actions.known), matrices, self._segments() if self.by else {})

    def close(self) -> None:
        """Close what a mistake in the log left open."""
        for column in self.columns.values():
            column.file.close()

    def _take(self, chunk: Chunk) -> None:
        mapping = self.mapping
        self._write("action", self.actions.of(chunk.text(mapping.action)))
        self._write("reward", chunk.numbers(mapping.reward))
        self._write("probability", chunk.numbers(mapping.probability))
        if mapping.user:
            self._write("user", self.users.of(chunk.text(mapping.user)))
        if mapping.time:
            self._write("time", _times(chunk, mapping.time))
        if self.by:
            self._write("segment", self.levels.of(chunk.text(self.by)))
        for name in mapping.contexts:
            self._write(f"context {name}", self._context(chunk, name))
        for name, joined in self.joined.items():
            self._write(f"rows {name}", np.array(joined.codes(chunk), dtype=np.int32))

    def _context(self, chunk: Chunk, name: str) -> NDArray[Any]:
        """Codes of categories (text, or few whole numbers in the first chunk), else numbers."""
        if name not in self.contexts:
            self.contexts[name] = _levels(chunk.text(name)) if _categories(chunk, name) else None
        codes = self.contexts[name]
        return chunk.numbers(name) if codes is None else codes.of(chunk.text(name))

    def _segments(self) -> dict[str, NDArray[np.intp]]:
        levels = self._mapped("segment")
        order, ends = np.argsort(levels, kind="stable"), np.bincount(levels).cumsum()
        return dict(zip(self.levels.known, np.split(order, ends[:-1]), strict=True))

    def _lookup(self, joined: Joined) -> Lookup:
        table = joined.table
        unnamed = np.zeros((len(table), len(self.actions.known) - self.named))  # of what only the log has
        return Lookup(np.hstack([table, unnamed]), self._mapped(f"rows {joined.file.name}"))

    def _align(self, file: CandidateFile, n: int) -> NDArray[Any]:
        """A file whose rows are those of the log."""
        column = self.columns[f"rows {file.name}"] = StoredColumn(self.folder)
        for chunk in chunks(file.path):
            if len(chunk):
                column.write(wide(chunk, file, self.actions.known))
        matrix = column.mapped(len(self.actions.known))
        if len(matrix) != n:
            raise InvalidCandidate(f"{file.path} has {len(matrix)} rows and no column of the log; the log has {n} rows")
        return matrix

    def _write(self, name: str, values: NDArray[Any]) -> None:
        if name not in self.columns:
            self.columns[name] = StoredColumn(self.folder)
        self.columns[name].write(values)

    def _mapped(self, name: str) -> NDArray[Any]:
        return self.columns[name].mapped()


def _times(chunk: Chunk, name: str) -> NDArray[np.float64]:
    """Seconds, from numbers or ISO 8601; without a zone, UTC."""
    if _all_numbers(chunk, name):
        return chunk.numbers(name)
    try:
        return np.array([_seconds(cell) for cell in chunk.columns[name]])
    except ValueError as error:
        raise InvalidLog(f"column {name!r}: expected times as numbers or ISO 8601 ({error})") from None


def _seconds(cell: Any) -> float:
    moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell))
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _all_numbers(chunk: Chunk, name: str) -> bool:
    try:
        chunk.numbers(name)
    except InvalidLog:
        return False
    return True


def _levels(cells: Sequence[str]) -> Codes:
    """The categories seen most often, and all others as one."""
    return Codes([cell for cell, _ in Counter(cells).most_common(LEVELS - 1)], LEVELS)


def _categories(chunk: Chunk, name: str) -> bool:
    if not _all_numbers(chunk, name):
        return True
    numbers = chunk.numbers(name)
    return bool(np.all(numbers == np.floor(numbers))) and len(np.unique(numbers)) <= LEVELS


def _natural(name: str) -> tuple[float, str]:
    """Numbers by their value, before other names."""
    try:
        return float(name), name
    except ValueError:
        return float("inf"), name
