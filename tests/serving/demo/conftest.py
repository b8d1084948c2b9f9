"""A few digits, and a server that only pretends."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from serving.demo.digits import Digits

Handler = Callable[[str, dict[str, object]], Awaitable[tuple[int, object] | None]]
"""Path and body to status and answer; None cuts the connection without one."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def few_digits() -> Digits:
    rng = np.random.default_rng(7)
    return Digits(rng.random((20, 784), dtype=np.float32), np.arange(20) % 10)


@asynccontextmanager
async def pretending(handler: Handler) -> AsyncIterator[int]:
    """The port of an HTTP/1.1 server whose answers are `handler`'s."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (head := await reader.readuntil(b"\r\n\r\n")) and (response := await _respond(reader, head, handler)):
                writer.write(response)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _respond(reader: asyncio.StreamReader, head: bytes, handler: Handler) -> bytes | None:
    length = re.search(rb"content-length: (\d+)", head)
    body = await reader.readexactly(int(length[1])) if length else b"{}"
    answer = await handler(head.split()[1].decode(), json.loads(body))
    if answer is None:
        return None
    payload = json.dumps(answer[1]).encode()
    return b"HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n\r\n%s" % (answer[0], len(payload), payload)
