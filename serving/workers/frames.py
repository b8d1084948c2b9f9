"""The wire between a front end and a worker: frames over a stream, without any I/O.

A frame is a head of 8 bytes (two little-endian u32: the lengths of the header and of the body), a
header in msgpack, and a body of raw bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct as Layout

import msgspec
from msgspec import Struct, msgpack

from selector.decisions import Label, Prediction
from selector.errors import WindjammerError
from serving.values import Input

LIMIT = 1 << 30
"""Bytes of one frame at most: more is taken for garbage."""

NUMBERS: Mapping[str, str] = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""The datatypes whose batches are arrays, with numpy's names for them; BYTES and JSON are lists."""

_HEAD = Layout("<II")


class BadFrame(WindjammerError):
    """Bytes that are no frame of ours, or a frame over the limit."""

    phrase = "Bad frame"


class Ask(Struct, frozen=True, array_like=True, tag="ask", gc=False):
    """A batch of `rows` inputs that share datatype and shape; the body is their data, joined.

    `sizes` are the bytes of each row for BYTES and JSON; numeric rows are all of one size, and it is empty.
    """

    batch: int
    datatype: str
    shape: tuple[int, ...]
    rows: int
    sizes: tuple[int, ...] = ()


class Labels(Struct, frozen=True, array_like=True, tag="labels", gc=False):
    """The answer to a batch in which every row is a plain label: the usual case, kept cheap."""

    batch: int
    rows: list[Label]


class Rows(Struct, frozen=True, array_like=True, tag="rows", gc=False):
    """The answer to a batch. A row that failed is None, and `errors` says why, by the row's index."""

    batch: int
    rows: list[Prediction | None]
    errors: dict[int, str] = {}


class BatchFailed(Struct, frozen=True, array_like=True, tag="failed", gc=False):
    """The model could not take a batch of `rows` inputs."""

    batch: int
    rows: int
    error: str


class Ping(Struct, frozen=True, array_like=True, tag="ping", gc=False):
    """Are you alive? Answered between batches only, so that a hung model stays silent."""


class Pong(Struct, frozen=True, array_like=True, tag="pong", gc=False):
    """Yes."""


Header = Ask | Labels | Rows | BatchFailed | Ping | Pong
Frame = tuple[Header, bytearray]

_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(Header).decode


def encode(header: Header, body: Sequence[bytes] = ()) -> bytes:
    """One frame, its body joined from pieces.

    Raises BadFrame over the limit; OverflowError or UnicodeError for a label that msgpack cannot carry.
    """
    packed = _encode(header)
    size = sum(map(len, body))
    _check(len(packed), size)
    return b"".join((_HEAD.pack(len(packed), size), packed, *body))


def ask(batch: int, inputs: Sequence[Input]) -> bytes:
    """The frame that asks for predictions of `inputs`, of one datatype and shape. Raises BadFrame over the limit."""
    first = inputs[0]
    data = [row.data for row in inputs]
    sizes = () if first.datatype in NUMBERS else tuple(map(len, data))
    return encode(Ask(batch, first.datatype, first.shape, len(data), sizes), data)


class Decoder:
    """Turns a stream of bytes, however it is cut, into frames. After BadFrame the stream is of no more use."""

    def __init__(self) -> None:
        self._kept = b""
        self._header: Header = Ping()
        self._body = bytearray()
        self._missing = 0

    def feed(self, data: bytes | memoryview) -> list[Frame]:
        """The frames that `data` completes. Their bodies are the caller's own. Raises BadFrame."""
        frames: list[Frame] = []
        view = memoryview(self._kept + data if self._kept else data)
        start = self._resume(view, frames) if self._missing else 0
        while not self._missing and len(view) - start >= _HEAD.size:
            header, body = _HEAD.unpack_from(view, start)
            _check(header, body)
            middle = start + _HEAD.size + header
            if len(view) < middle:
                break
            self._header = _header(view[start + _HEAD.size : middle])
            self._body = bytearray(view[middle : middle + body])
            self._missing = body - len(self._body)
            start = middle + len(self._body)
            if not self._missing:
                frames.append((self._header, self._body))
        self._kept = bytes(view[start:])
        return frames

    def _resume(self, view: memoryview, frames: list[Frame]) -> int:
        """Go on with a body that came in part (a long one comes in many); how much of `view` belonged to it."""
        piece = view[: self._missing]
        self._body += piece
        self._missing -= len(piece)
        if not self._missing:
            frames.append((self._header, self._body))
        return len(piece)


def _header(packed: memoryview) -> Header:
    try:
        header: Header = _decode(packed)
    except msgspec.MsgspecError as error:
        raise BadFrame(f"not a header: {error}") from error
    return header


def _check(header: int, body: int) -> None:
    if header + body > LIMIT:
        raise BadFrame(f"a frame of {header + body} bytes; {LIMIT} at most")
