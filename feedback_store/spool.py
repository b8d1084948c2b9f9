"""Decisions on their way to the database: a queue of rows in mapped files.

To append is to copy into the page cache: it takes about a microsecond, and what has been appended is
there after the process has been killed at any instant. (After a power cut, what the kernel had not yet
written is lost.) While the database is away rows stay on disk, and memory does not grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from logging import getLogger
from mmap import mmap
from pathlib import Path
from typing import NamedTuple

from msgspec import msgpack

from feedback_store.claims import claim_new
from feedback_store.contract import Row, StoreUnavailable
from feedback_store.segments import HEAD, create, open_segment, put, records

logger = getLogger(__name__)

SEGMENT_BYTES = 8 << 20
SUFFIX = ".rows"

_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(Row).decode


class Mark(NamedTuple):
    """A place in a spool: the segment's number, and a byte in it. Later places are greater."""

    segment: int
    offset: int


class Spool:
    """A queue with one thread that appends and one that reads and forgets, in a new folder under `root`.

    The folder is this process's while it lives; what it leaves behind is for `recovery.recover`.
    """

    def __init__(self, root: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._claim = claim_new(root)
        self._segment_bytes = segment_bytes
        self._number = 1
        self._end = 0
        self._map = self._create(1, segment_bytes)
        self._size = segment_bytes
        self._kept = Mark(1, 0)
        self._view: tuple[int, mmap] | None = None

    def append(self, row: Row) -> None:
        """Add a row: the death of the process no longer loses it. Raises StoreUnavailable if the disk is full."""
        data = _encode(row)
        if self._end + HEAD.size + len(data) > self._size:
            self._extend(HEAD.size + len(data))
        self._end = put(data, self._map, self._end)

    @property
    def tail(self) -> Mark:
        """The place after the last row. For the thread that appends."""
        return Mark(self._number, self._end)

    def read(self, limit: int) -> tuple[list[Row], Mark]:
        """The oldest rows not forgotten and the place after them; fewer than `limit` if there are no more."""
        rows: list[Row] = []
        segment, offset = self._kept
        while True:
            # Asked before the records are read: what is older than this is complete.
            newest = self._number
            for row, end in islice(rows_of(self._open(segment), offset), limit - len(rows)):
                rows.append(row)
                offset = end
            if len(rows) == limit or segment == newest:
                return rows, Mark(segment, offset)
            segment, offset = segment + 1, 0

    def forget(self, mark: Mark) -> None:
        """Rows before `mark` are committed: drop the segments that hold nothing else."""
        for number in range(self._kept.segment, mark.segment):
            self._path(number).unlink(missing_ok=True)
        self._kept = mark

    def close(self) -> None:
        """Give the spool up. Rows that are not forgotten stay on disk."""
        rows, mark = self.read(1)
        if not rows:
            self.forget(mark)
            self._path(mark.segment).unlink(missing_ok=True)
        if self._view is not None:
            self._view[1].close()
        self._map.close()
        self._claim.release()

    def _extend(self, needed: int) -> None:
        size = max(self._segment_bytes, needed)
        new = self._create(self._number + 1, size)
        self._map.close()
        self._map, self._size, self._end = new, size, 0
        self._number += 1

    def _create(self, number: int, size: int) -> mmap:
        try:
            return create(self._path(number), size)
        except OSError as error:
            raise StoreUnavailable(f"the spool cannot grow: {error.strerror}") from error

    def _open(self, number: int) -> mmap:
        if self._view is None or self._view[0] != number:
            if self._view is not None:
                self._view[1].close()
            self._view = number, open_segment(self._path(number))
        return self._view[1]

    def _path(self, number: int) -> Path:
        return self._claim.folder / f"{number:010}{SUFFIX}"


def rows_of(segment: mmap, start: int = 0) -> Iterator[tuple[Row, int]]:
    """The rows from byte `start` on, each with the byte where it ends. What is torn or damaged is skipped, and said."""
    for payload, end in records(segment, start):
        if payload is None:
            logger.warning("a spooled decision that ends at byte %d is torn or damaged, and skipped", end)
        else:
            yield _decode(payload), end
