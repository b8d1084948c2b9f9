"""The protocol without a network: bytes in, bytes out, and a clock that moves when it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httptools
from msgspec import Struct
from uvicorn.config import Config
from uvicorn.server import ServerState

from serving.api.endpoints import endpoints
from serving.api.protocol import ShortCutProtocol, ShortCuts
from tests.serving.api.fakes import FakeApplication

DEFAULT_HEADERS = [(b"date", b"today"), (b"server", b"uvicorn")]


class Timer:
    def __init__(self, at: float, callback: Callable[[], None]) -> None:
        self.at, self.callback, self.cancelled = at, callback, False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """A loop's timers, and tasks on the loop that runs (if one does)."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        self.timers.append(timer := Timer(self.now + delay, callback))
        return timer

    def time(self) -> float:
        return self.now

    def create_task(self, coroutine: Any) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(coroutine)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [timer for timer in self.timers if timer.at <= self.now]
        self.timers = [timer for timer in self.timers if timer.at > self.now]
        for timer in due:
            if not timer.cancelled:
                timer.callback()


class Transport:
    def __init__(self) -> None:
        self.sent = b""
        self.closed = False
        self.reading = True

    def write(self, data: bytes) -> None:
        assert not self.closed, "written to a closed transport"
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name: str) -> None:
        return None


class Answer(Struct):
    status: int
    headers: dict[str, str]
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


class Answers:
    """Parses what was sent."""

    def __init__(self, sent: bytes) -> None:
        self.all: list[Answer] = []
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._parser.feed_data(sent)

    def on_message_begin(self) -> None:
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.all.append(Answer(self._parser.get_status_code(), self._headers))

    def on_body(self, body: bytes) -> None:
        self.all[-1].body += body


class Wire:
    """One connection to a fake application, with `asgi` for whatever takes no short cut."""

    def __init__(
        self, application: FakeApplication | None = None, *, body_limit: int = 8 << 20, asgi: Any = None, **config: Any
    ) -> None:
        self.application = application or FakeApplication()
        self.state = ServerState()
        self.state.default_headers = DEFAULT_HEADERS
        self.clock = Clock()
        self.config = Config(asgi or nothing, log_config=None, access_log=False, proxy_headers=False, **config)
        paths = endpoints(self.application, 10.0)  # type: ignore[arg-type]
        self.short_cuts = ShortCuts({f"/digits/{verb}".encode(): e for verb, e in paths.items()}, body_limit)
        self.transport = Transport()
        self.protocol = self.connect(self.transport)

    def connect(self, transport: Transport) -> ShortCutProtocol:
        state = {"short_cuts": self.short_cuts}
        protocol = ShortCutProtocol(self.config, self.state, state, self.clock)  # type: ignore[arg-type]
        protocol.connection_made(transport)  # type: ignore[arg-type]
        return protocol

    def send(self, data: bytes) -> None:
        if not self.transport.closed:
            self.protocol.data_received(data)

    def answers(self) -> list[Answer]:
        return Answers(self.transport.sent).all

    def answer(self) -> Answer:
        (answer,) = self.answers()
        return answer


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that answers with the path and the whole body."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    content = scope["path"].encode() + b" " + body
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(content))]})
    await send({"type": "http.response.body", "body": content})


def post(
    target: str = "/digits/predict", body: bytes = b'{"input":[1,2]}', *headers: str, version: str = "1.1"
) -> bytes:
    lines = [f"POST {target} HTTP/{version}", "host: here", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body
