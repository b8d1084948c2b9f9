"""CSV and Parquet files, read in chunks: memory does not grow with the file."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator, Sequence
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from selector.replay import InvalidLog

CHUNK = 50_000
"""Rows in memory at once."""

Cells = Sequence[Any]
Advance = Callable[[float], None]


class Chunk(Struct, frozen=True):
    """Some rows in a row: cells by column; `first` is the number of the first row, from 1.

    `names` are those of the columns, in the file's order: of two of one name the last has the cells.
    """

    columns: dict[str, Cells]
    first: int
    names: Sequence[str]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as numbers. Raises InvalidLog naming the first row that is none."""
        try:
            return np.array(self.columns[name], dtype=np.float64)
        except (TypeError, ValueError):
            raise InvalidLog(self._not_a_number(name)) from None

    def text(self, name: str) -> list[str]:
        """A column as text, 3.0 like 3."""
        known: dict[Any, str] = {}
        return [known[cell] if cell in known else known.setdefault(cell, as_text(cell)) for cell in self.columns[name]]

    def _not_a_number(self, name: str) -> str:
        for row, cell in enumerate(self.columns[name], self.first):
            try:
                float(cell)
            except (TypeError, ValueError):
                return f"column {name!r}: expected a number in row {row}, found {cell!r}"
        return f"column {name!r}: expected numbers"


def as_text(cell: object) -> str:
    """A cell as text, numbers written in one way only.

    >>> as_text("3.0"), as_text(3), as_text(".50"), as_text(" b "), as_text("12345678901234567890")
    ('3', '3', '0.5', 'b', '12345678901234567890')
    """
    text = str(cell).strip()
    if text.isdecimal() and text.isascii():
        return text.lstrip("0") or "0"
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else repr(number)


def columns_of(path: Path) -> list[str]:
    """The names of a file's columns, each as often as it is there. Raises InvalidLog."""
    chunk = next(chunks(path, size=1), None)
    if chunk is None:
        raise InvalidLog(f"{path} is empty: expected a row of column names")
    return list(chunk.names)


def chunks(path: Path, size: int = CHUNK, advance: Advance | None = None) -> Iterator[Chunk]:
    """All of a file: .parquet, or CSV with a row of names, also compressed (.gz). Raises InvalidLog.

    `advance` hears the share of the file that has been read. A file without rows gives one chunk without.
    """
    try:
        yield from (_parquet if path.suffix == ".parquet" else _csv)(path, size, advance or _unheard)
    except OSError as error:
        raise InvalidLog(f"{path} cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error, EOFError) as error:
        raise InvalidLog(f"{path} is not a CSV file: {error}") from None


def _unheard(share: float) -> None:
    """Nobody wants to know."""


def _csv(path: Path, size: int, advance: Advance) -> Iterator[Chunk]:
    total = max(1, path.stat().st_size)
    with path.open("rb") as raw:
        unpacked: Any = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        with TextIOWrapper(unpacked, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            names = next(rows, None)
            if names is None:
                return
            first = 1
            while block := list(islice(rows, size)):
                yield Chunk(_columns(path, names, block, first), first, names)
                first += len(block)
                advance(raw.tell() / total)
            if first == 1:
                yield Chunk({name: [] for name in names}, 1, names)


def _columns(path: Path, names: list[str], block: list[list[str]], first: int) -> dict[str, Cells]:
    lengths = {len(row) for row in block}
    if lengths != {len(names)}:
        row = next(i for i, row in enumerate(block) if len(row) != len(names))
        raise InvalidLog(f"{path}: row {first + row} has {len(block[row])} cells, the first row names {len(names)}")
    return dict(zip(names, zip(*block, strict=True), strict=True))


def _parquet(path: Path, size: int, advance: Advance) -> Iterator[Chunk]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError:
        raise InvalidLog(f"{path}: to read Parquet, pip install 'windjammer[report]'") from None
    try:
        file = parquet.ParquetFile(path)
    except ArrowInvalid as error:
        raise InvalidLog(f"{path} is not a Parquet file: {error}") from None
    first, total, names = 1, max(1, file.metadata.num_rows), file.schema_arrow.names
    for batch in file.iter_batches(size):
        yield Chunk(batch.to_pydict(), first, names)
        first += len(batch)
        advance(first / total)
    if first == 1:
        yield Chunk({name: [] for name in names}, 1, names)
