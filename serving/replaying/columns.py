"""Columns of a log as they are read: text as numbers, and on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from selector.replay import InvalidLog


class Codes:
    """Text as numbers, in the order of its appearance; at most `limit` of them, the last for all others."""

    def __init__(self, known: Sequence[str] = (), limit: int | None = None) -> None:
        self.known = {name: code for code, name in enumerate(known)}
        self._limit = limit

    def of(self, cells: Sequence[str]) -> NDArray[np.int64]:
        known, last = self.known, None if self._limit is None else self._limit - 1
        for cell in dict.fromkeys(cells):
            if cell not in known and (last is None or len(known) < last):
                known[cell] = len(known)
        return np.array([known.get(cell, last) for cell in cells], dtype=np.int64)


class StoredColumn:
    """A column on disk."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{len(list(folder.iterdir()))}.bin"
        self.file: IO[bytes] = self.path.open("wb")
        self.dtype: np.dtype[Any] = np.dtype(np.float64)

    def write(self, values: NDArray[Any]) -> None:
        self.dtype = values.dtype
        self.file.write(np.ascontiguousarray(values).tobytes())

    def mapped(self, width: int | None = None) -> NDArray[Any]:
        """All that was written, [n] or [n, width]."""
        self.file.close()
        if self.path.stat().st_size == 0:
            raise InvalidLog("the log is empty: there is no decision to learn from")
        flat: NDArray[Any] = np.memmap(self.path, self.dtype, "r")
        return flat if width is None else flat.reshape(-1, width)
