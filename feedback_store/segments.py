"""Segments: the files of a spool. Records one after the other, then zeros.

A record is a u32 length, a u32 crc32 of the payload (both little-endian), and the payload. Space is
allocated when the file is made, so a full disk is an error there and never a fault in the mapping.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import Struct
from zlib import crc32

HEAD = Struct("<II")


def create(path: Path, size: int) -> mmap:
    """A new segment of `size` zero bytes, mapped for writing. Raises OSError, leaving no file, if there is no space."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(file, 0, size)
        return mmap(file, size)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(file)


def open_segment(path: Path) -> mmap:
    """The segment mapped for reading; the empty mapping if its maker died before it had a size."""
    with path.open("rb") as file:
        empty = os.fstat(file.fileno()).st_size == 0
        return mmap(-1, HEAD.size) if empty else mmap(file.fileno(), 0, access=ACCESS_READ)


def put(payload: bytes, segment: mmap, start: int) -> int:
    """Write a record at byte `start`; the byte where it ends. Raises IndexError if it does not fit.

    The head comes last: until it is there, a reader finds the end of the segment.
    """
    middle = start + HEAD.size
    end = middle + len(payload)
    segment[middle:end] = payload
    HEAD.pack_into(segment, start, len(payload), crc32(payload))
    return end


def records(segment: mmap, start: int) -> Iterator[tuple[bytes | None, int]]:
    """The payloads from byte `start` on, each with the byte where it ends.

    A payload that is not as it was written is None: one torn by the end of the writer, at the tail,
    or damaged on disk.
    """
    last = len(segment) - HEAD.size
    while start <= last:
        length, check = HEAD.unpack_from(segment, start)
        if length == 0:
            return
        start += HEAD.size
        payload = segment[start : start + length]
        start += length
        yield payload if len(payload) == length and crc32(payload) == check else None, start
