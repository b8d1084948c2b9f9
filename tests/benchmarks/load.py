"""A small HTTP/1.1 client for load: keep-alive, one request at a time on each connection, no layers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, cast

import msgspec
from msgspec import Struct, json


class Response(Struct, frozen=True):
    """Status and body of an answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body, decoded. Raises msgspec.DecodeError."""
        return msgspec.json.decode(self.body)


class Connection(asyncio.Protocol):
    """A connection to 127.0.0.1:`port`, opened with `async with`.

    A request raises ConnectionError if the connection is lost before its answer is complete, and
    TimeoutError after `timeout` seconds: then the connection is of no more use.
    """

    def __init__(self, port: int, timeout: float = 30.0) -> None:
        self.port = port
        self.timeout = timeout
        self._transport: asyncio.Transport
        self._received = bytearray()
        self._waiting: asyncio.Future[Response] | None = None

    async def __aenter__(self) -> Connection:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._transport.close()

    async def get(self, path: str) -> Response:
        """GET."""
        return await self._ask(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())

    async def post(self, path: str, content: object) -> Response:
        """POST of `content` as JSON; bytes are sent as they are."""
        body = content if isinstance(content, bytes) else json.encode(content)
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: "
        return await self._ask(b"%b%d\r\n\r\n%b" % (head.encode(), len(body), body))

    async def _ask(self, request: bytes) -> Response:
        if self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._received.clear()
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(self.timeout):
            return await self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its type

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._received += data
        response = parse(self._received)
        if response is not None and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(response)

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError(f"the connection was lost: {error or 'closed'}"))


async def post_all(port: int, path: str, contents: Sequence[object], timeout: float = 30.0) -> list[Response]:
    """POST each over a connection of its own, all at once."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(Connection(port, timeout)) for _ in contents]
        pairs = zip(connections, contents, strict=True)
        return await asyncio.gather(*[connection.post(path, content) for connection, content in pairs])


def parse(received: bytearray) -> Response | None:
    """The answer in `received`, or None as long as it is not complete."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = received[:end].lower()
    at = head.find(b"content-length:")
    length = 0 if at < 0 else int(head[at + 15 :].split(b"\r\n", 1)[0])
    if len(received) < end + 4 + length:
        return None
    return Response(int(received[9:12]), bytes(received[end + 4 : end + 4 + length]))
