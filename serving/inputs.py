"""What an application takes as input, and how JSON becomes it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from itertools import chain
from math import inf, nextafter, prod
from typing import Any, Literal

import msgspec
import numpy as np
import simdjson
from msgspec import Struct, json, msgpack

from serving.errors import InvalidInput
from serving.values import Input

LONG = 2048
"""Bytes of JSON from which SIMD parsing is the faster one."""

_LAYOUTS = 256
"""Lengths of inputs whose layout is remembered, where the shape leaves the length free."""

_KEPT = 1 << 18
"""Bytes of JSON up to which a parser is kept for the next input: it never gives back what it has allocated."""


class InputSpec(Struct, frozen=True):
    """One input: its datatype, as in the Open Inference protocol (or JSON), and its shape, with -1 for any length.

    BYTES and JSON have no shape; a number without one is a single number.
    """

    datatype: str
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.shape and self.datatype in ("BYTES", "JSON"):
            raise ValueError(f"an input of datatype {self.datatype} has no shape")

    def __str__(self) -> str:
        return f"{self.datatype} {list(self.shape)}" if self.shape else self.datatype


class _Number(Struct, frozen=True):
    """A numeric datatype: its code (the same in `struct` and numpy), what it reads from JSON, its range.

    `wide` is the type of simdjson that holds it. `low` and `high` are inclusive; for floats they are the
    last values that do not round to infinity.
    """

    code: str
    json: Any
    wide: Literal["d", "i", "u"] | None
    low: float
    high: float


def _integer(code: str, bits: int, *, signed: bool) -> _Number:
    high = 2 ** (bits - signed) - 1
    wide: Literal["i", "u"] = "u" if high >= 2**63 else "i"
    return _Number(code, int | float, wide, -high - 1 if signed else 0, high)


def _float(code: str, infinite: float) -> _Number:
    """`infinite` is the least number that rounds to infinity."""
    high = nextafter(infinite, 0.0)
    return _Number(code, float, "d", -high, high)


_NUMBERS = {
    "BOOL": _Number("?", bool, None, 0, 1),
    "UINT8": _integer("B", 8, signed=False),
    "UINT16": _integer("H", 16, signed=False),
    "UINT32": _integer("I", 32, signed=False),
    "UINT64": _integer("Q", 64, signed=False),
    "INT8": _integer("b", 8, signed=True),
    "INT16": _integer("h", 16, signed=True),
    "INT32": _integer("i", 32, signed=True),
    "INT64": _integer("q", 64, signed=True),
    "FP16": _float("e", 65520.0),
    "FP32": _float("f", 2.0**128 - 2.0**103),
    "FP64": _float("d", inf),
}
_WIDE = {"d": np.dtype("<f8"), "i": np.dtype("<i8"), "u": np.dtype("<u8")}

DATATYPES = (*_NUMBERS, "BYTES", "JSON")

Decode = Callable[[bytes], Input]

_Layout = tuple[tuple[int, ...], Callable[..., bytes]]
"""The shape of so many values given flat, and what packs them."""


def decoder(spec: InputSpec) -> Decode:
    """A function from the JSON text of one input to the Input; it raises InvalidInput, and is for one thread.

    Numbers come nested as the shape says, or flat with as many values. Strings, booleans, null, what is not finite or
    does not fit the datatype are refused; an integer may be written as 3.0. BYTES is a JSON string.
    """
    match spec.datatype:
        case "BYTES":
            return _decode_bytes
        case "JSON":
            return _decode_json
    return NumberDecoder(spec)


class NumberDecoder:
    """Decodes numbers: short texts with msgspec, long flat ones with simdjson, to the same Input."""

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec
        self._number = number = _NUMBERS[spec.datatype]
        self._free = spec.shape.count(-1)
        self._size = prod(size for size in spec.shape if size != -1)
        self._layouts: dict[int, _Layout] = {}
        self._scalar = json.Decoder(number.json).decode
        self._flat = json.Decoder(list[number.json]).decode  # type: ignore[name-defined]
        self._nested = json.Decoder(_nested(number.json, len(spec.shape))).decode
        self._read = self._read_values if spec.shape else self._read_one
        self._dtype = np.dtype(f"<{number.code}")
        self._parser = simdjson.Parser()

    def __call__(self, text: bytes) -> Input:
        """The input that `text` says. Raises InvalidInput."""
        if len(text) >= LONG and (found := self._scan(text)) is not None:
            return found
        try:
            values, (shape, pack) = self._read(text)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InvalidInput(f"expected {self.spec}: {error}") from None
        try:
            data = pack(*values)
        except (struct.error, OverflowError):
            data = pack(*[self._fitting(place, value) for place, value in enumerate(values)])
        return Input(self.spec.datatype, shape, data)

    def _read_one(self, text: bytes) -> tuple[Sequence[float], _Layout]:
        return (self._scalar(text),), self._layout((), 1)

    def _read_values(self, text: bytes) -> tuple[Sequence[float], _Layout]:
        """The values in C order, and their layout."""
        spec = self.spec
        if len(spec.shape) > 1 and text[1:].lstrip(b" \t\r\n").startswith(b"["):
            return self._unnested(self._nested(text))
        values: list[float] = self._flat(text)
        count = len(values)
        layout = self._layouts.get(count)
        if layout is None:
            shape = self._shape_of(count)
            if shape is None:
                raise InvalidInput(f"expected {spec}, got {count} values")
            layout = self._layout(shape, count)
            if len(self._layouts) < _LAYOUTS:
                self._layouts[count] = layout
        return values, layout

    def _unnested(self, values: list[Any]) -> tuple[list[float], _Layout]:
        shape = [len(values)]
        for _ in self.spec.shape[1:]:
            lengths = {len(row) for row in values}
            if len(lengths) > 1:
                raise InvalidInput(f"expected {self.spec}, got lists of different lengths: {sorted(lengths)}")
            values = list(chain.from_iterable(values))
            shape.append(lengths.pop() if lengths else 0)
        if any(size not in (-1, got) for size, got in zip(self.spec.shape, shape, strict=True)):
            raise InvalidInput(f"expected {self.spec}, got shape {shape}")
        return values, self._layout(tuple(shape), len(values))

    def _shape_of(self, count: int) -> tuple[int, ...] | None:
        """The shape of `count` values given flat, if it can be told and is ours."""
        if not self._free:
            return self.spec.shape if count == self._size else None
        if self._free > 1 or not self._size or count % self._size:
            return None
        return tuple([count // self._size if size == -1 else size for size in self.spec.shape])

    def _layout(self, shape: tuple[int, ...], count: int) -> _Layout:
        return shape, struct.Struct(f"<{count}{self._number.code}").pack

    def _fitting(self, place: int, value: float) -> float:
        """The value as the datatype can hold it: an int if it is one. Raises InvalidInput."""
        number = self._number
        if isinstance(value, float) and number.wide != "d" and value.is_integer():
            value = int(value)
        if not number.low <= value <= number.high or (number.wide != "d" and isinstance(value, float)):
            raise InvalidInput(f"expected {self.spec}, got {value!r} at [{place}]")
        return value

    def _scan(self, text: bytes) -> Input | None:
        """The input, if `text` is a flat list that simdjson can read and all of it fits: otherwise look closer."""
        number = self._number
        if number.wide is None or text[0] != ord("[") or text.find(b"[", 1) != -1:
            return None
        parser = self._parser if len(text) <= _KEPT else simdjson.Parser()
        try:
            array: Any = parser.parse(text)
            values = np.frombuffer(array.as_buffer(of_type=number.wide), _WIDE[number.wide])
        except (TypeError, ValueError, RuntimeError):
            return None
        shape = self._shape_of(values.size)
        if shape is None or not values.size:
            return None
        if self._dtype.itemsize < 8 and not (values.min() >= number.low and values.max() <= number.high):
            return None
        return Input(self.spec.datatype, shape, values.astype(self._dtype, copy=False).tobytes())


def _nested(element: Any, depth: int) -> Any:
    for _ in range(depth):
        element = list[element]
    return element


_read_text = json.Decoder(str).decode
_read_any = json.Decoder().decode
_pack_any = msgpack.Encoder(order="deterministic").encode


def _decode_bytes(text: bytes) -> Input:
    try:
        return Input("BYTES", (), _read_text(text).encode())
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput(f"expected BYTES, as a string: {error}") from None


def _decode_json(text: bytes) -> Input:
    try:
        return Input("JSON", (), _pack_any(_read_any(text)))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise InvalidInput(f"expected JSON with numbers of at most 64 bits: {error}") from None
