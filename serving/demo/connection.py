"""One user's connection: HTTP/1.1, one request at a time, cheap enough to drive a fast server from the same machine."""

from __future__ import annotations

import asyncio
import re
from types import TracebackType
from typing import Any

import msgspec
from msgspec import Struct

TIMEOUT = 15.0
"""Seconds after which the server counts as hung."""


class Response(Struct, frozen=True):
    """Status and body of an answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


class Connection:
    """A connection to 127.0.0.1:`port` that opens itself, again after it was lost. Use with `async with`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._drop()

    async def get(self, path: str) -> Response:
        """GET. Raises ConnectionError if the connection breaks, TimeoutError if no answer comes."""
        return await self._ask(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())

    async def post(self, path: str, body: bytes) -> Response:
        """POST of JSON. Raises as `get` does; nobody can say then what the server has done."""
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        return await self._ask(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)

    async def _ask(self, request: bytes) -> Response:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._exchange(request)
        except TimeoutError as error:
            self._drop()
            raise TimeoutError(f"no answer from port {self._port} within {TIMEOUT:g} s") from error
        except (OSError, EOFError) as error:
            self._drop()
            raise ConnectionError(f"no answer from port {self._port}: {error or type(error).__name__}") from error

    async def _exchange(self, request: bytes) -> Response:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        assert length is not None, "the server's answers have a length"
        return Response(int(head[9:12]), await self._reader.readexactly(int(length[1])))

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
