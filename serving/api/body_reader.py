"""How bodies are read: strictly, and long numeric inputs by SIMD."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, json

from serving.api.bodies import Body
from serving.errors import BadRequest, InvalidInput
from serving.inputs import LONG, Decode
from serving.settings import unknown
from serving.values import Input

B = TypeVar("B", bound=Body)


class BodyReader(Generic[B]):
    """Reads bodies of one kind for one application."""

    def __init__(self, kind: type[B], decode_input: Decode) -> None:
        self._kind = kind
        self._decode_input = decode_input
        self._decode: Callable[[bytes], B] = json.Decoder(kind).decode

    def read(self, body: bytes) -> tuple[B, Input | None]:
        """The fields, and the input if there is one. Raises BadRequest and InvalidInput."""
        if len(body) >= LONG and (read := self._read_long(body)) is not None:
            return read
        fields = self.fields(body)
        return fields, None if fields.input is UNSET else self.input(fields.input)

    def fields(self, body: bytes) -> B:
        """The fields, with the input as it was written. Raises BadRequest."""
        try:
            return self._decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequest(cause(error, self._kind.__struct_encode_fields__)) from None

    def input(self, text: Raw) -> Input:
        """One input. Raises InvalidInput."""
        return self._decode_input(bytes(text))

    def _read_long(self, body: bytes) -> tuple[B, Input] | None:
        """The same, without msgspec's going through a long list: that is cut out, and the rest read with [] in place.

        Cut at the only `[` of the body. If the rest is valid, and its input is a list, then that list is
        the one that was put in, for there is no other `[`; and JSON stays valid, and keeps its
        meaning, when one valid value takes the place of another. Whatever is not so is read in the usual way.
        """
        start, end = body.find(b"["), body.rfind(b"]") + 1
        if start < 0 or end <= start or body.find(b"[", start + 1) >= 0:
            return None
        try:
            fields = self._decode(b"%b[]%b" % (body[:start], body[end:]))
            if fields.input is UNSET or bytes(fields.input) != b"[]":
                return None
            return fields, self._decode_input(body[start:end])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidInput):
            return None


def cause(error: Exception, valid: Sequence[str]) -> str:
    """What is wrong with a body whose fields are `valid` ones, with the nearest of them for one that is not."""
    message = str(error)
    field = re.search(r"unknown field `(.*)`", message)
    return message if field is None else unknown("field", field[1], valid)
