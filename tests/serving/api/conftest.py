"""A real server on a free port, both ways: with the short cut, and with every request through ASGI."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from serving.api.app import create_app
from serving.api.protocol import ShortCutProtocol
from tests.serving.api.fakes import FakeApplication, FakeService

BODY_LIMIT = 100_000


class Server:
    """A server in a thread of its own, and a client to it."""

    def __init__(self, service: FakeService, way: str) -> None:
        self.service = service
        self.application = service.applications["digits"]
        http = ShortCutProtocol if way == "short cut" else "httptools"
        app = create_app(service)  # type: ignore[arg-type]
        self.way = way
        self.through_asgi: list[str] = []

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.through_asgi.append(scope["path"])
            await app(scope, receive, send)

        self._server = uvicorn.Server(
            uvicorn.Config(counted, http=http, ws="none", lifespan="on", access_log=False, log_config=None)
        )
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve([self._socket])))
        self._thread.start()
        self.client = httpx.Client(base_url="http://{}:{}".format(*self.address), timeout=5)

    def close(self) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join()

    def post(self, path: str, content: object = None, **options: object) -> httpx.Response:
        given = {"content": content} if isinstance(content, bytes) else {"json": content}
        return self.client.post(path, **given, **options)  # type: ignore[arg-type]


def error(response: httpx.Response) -> tuple[int, str, str]:
    """Status, error and cause: the whole of an error's body."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body.keys() == {"error", "cause"}
    return response.status_code, body["error"], body["cause"]


@contextmanager
def serving(application: FakeApplication, way: str) -> Iterator[Server]:
    server = Server(FakeService(application, body_limit=BODY_LIMIT, max_timeout=2.0), way)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session", params=["short cut", "asgi"])
def shared_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(FakeApplication(), request.param) as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    """The server, with nothing asked yet."""
    shared_server.application.requests.clear()
    shared_server.application.queries.clear()
    shared_server.through_asgi.clear()
    return shared_server
