"""An answer on its way to the client, before HTTP."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Response(Struct, frozen=True, gc=False):
    """Status and JSON body; `headers` are those beyond content-type and content-length, names in lower case."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


Respond = Callable[[Response], None]
"""Takes the answer to one request: call it once, at any time, on the loop's thread."""

Endpoint = Callable[[bytes, Respond], None]
"""Takes a whole request body; never raises."""
