"""One request that takes the short cut, from its headers to its answer."""

from __future__ import annotations

from typing import Protocol

from serving.api.errors import failed
from serving.api.responses import Endpoint, Response
from serving.errors import ShuttingDown


class Connection(Protocol):
    """Where an exchange's answer goes."""

    def answered(self, exchange: Exchange) -> None:
        """The exchange has its response: send it when those before it have been sent."""


class Exchange:
    """Stands in its connection's line until it is sent, and, like an ASGI task, in the server's set of running work.

    `keep_alive` is whether the connection may stay open after it.
    """

    __slots__ = ("connection", "endpoint", "keep_alive", "request_id", "response")

    def __init__(self, connection: Connection, endpoint: Endpoint | None, keep_alive: bool) -> None:
        self.connection = connection
        self.endpoint = endpoint
        self.keep_alive = keep_alive
        self.request_id: bytes | None = None
        self.response: Response | None = None

    def respond(self, response: Response) -> None:
        """Take the answer; only the first counts."""
        if self.response is None:
            self.response = response
            self.connection.answered(self)

    def cancel(self, msg: str | None = None) -> None:  # noqa: ARG002 - as asyncio.Task has it
        """The server waits no longer: what uvicorn tells its tasks when the time for shutting down is over."""
        self.respond(failed(ShuttingDown("the server stopped before the answer was there")))
