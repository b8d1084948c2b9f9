"""The short cut: predict and observe answered from the HTTP parser's callbacks, everything else by ASGI as usual.

A request on the short cut has no ASGI scope, task or future; those cost more than all the rest of it. Its
answer depends on path, method and body alone: never on the client's address or scheme, so that proxy
headers need no reading here, nor on the root path, which a proxy removes from the path before it comes to us.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from selector.errors import WindjammerError
from serving.api.errors import failed
from serving.api.exchange import Exchange
from serving.api.heads import REQUEST_ID, Heads, returnable
from serving.api.responses import Endpoint
from serving.errors import BadRequest, BodyTooLarge, Overloaded

PIPELINE_LIMIT = 64
"""Requests of one connection that may be open at once; then nothing more is read from it."""


class ShortCuts(Struct, frozen=True):
    """What takes the short cut: POST to these targets, exactly as they stand in the request line.

    The application's lifespan hands it to the protocol as `short_cuts` in its state. `body_limit` is in bytes.
    """

    endpoints: Mapping[bytes, Endpoint]
    body_limit: int
    heads: Heads = field(default_factory=Heads)


class ShortCutProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a second line of requests beside its own pipeline.

    Answers leave in the order of the requests: while an ASGI request is open or waits, requests that might
    take the short cut go to ASGI too; an ASGI request that comes behind open exchanges waits in the pipeline
    until they are answered.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.short_cuts: ShortCuts = app_state["short_cuts"]
        # The server's drain waits for what is in `tasks`, and its concurrency limit counts it.
        self.under_way: set[Any] = server_state.tasks
        self.exchanges: deque[Exchange] = deque()
        self.receiving: Exchange | None = None
        self.body: bytes | bytearray = b""
        self.idle_since: float | None = None
        self.idle_timer: asyncio.TimerHandle | None = None
        self.draining = False
        self.deaf = False  # the last request of this connection has been read

    # The parser's callbacks

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        if self.deaf:
            return
        endpoint = self.short_cuts.endpoints.get(self.url)
        if endpoint is not None and self._is_free():
            self._open(endpoint)
        else:
            self._leave_to_asgi()

    def on_body(self, body: bytes) -> None:
        exchange = self.receiving
        if exchange is None:
            if not self.deaf:
                super().on_body(body)
        elif exchange.response is None:
            self._gather(exchange, body)

    def on_message_complete(self) -> None:
        exchange = self.receiving
        if exchange is None:
            if not self.deaf:
                super().on_message_complete()
            return
        self.receiving = None
        body, self.body = self.body, b""
        if exchange.response is None:
            assert exchange.endpoint is not None
            exchange.endpoint(bytes(body), exchange.respond)
        else:
            self._close_if_sent()

    # From the headers to the answer

    def _is_free(self) -> bool:
        parser, cycle = self.parser, self.cycle
        return (
            parser.get_method() == b"POST"
            and not parser.should_upgrade()
            and (cycle is None or cycle.response_complete)
            and not (self.expect_100_continue and self.exchanges)
        )

    def _open(self, endpoint: Endpoint) -> None:
        parser = self.parser
        keep_alive = parser.should_keep_alive() and parser.get_http_version() != "1.0" and not self.draining
        exchange = self._enqueue(endpoint, keep_alive)
        self.receiving = exchange
        error = self._objection(exchange)
        if error is not None:
            self._refuse(exchange, error)
        elif self.expect_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _enqueue(self, endpoint: Endpoint | None, keep_alive: bool) -> Exchange:
        exchange = Exchange(self, endpoint, keep_alive)
        self.idle_since = None  # again: an earlier request of the same data may have been answered
        self.exchanges.append(exchange)
        self.under_way.add(exchange)
        if not keep_alive:
            self.deaf = True
        if len(self.exchanges) >= PIPELINE_LIMIT:
            self.flow.pause_reading()
        return exchange

    def _objection(self, exchange: Exchange) -> WindjammerError | None:
        """What the headers already tell against a request."""
        length, limit = 0, self.short_cuts.body_limit
        for name, value in self.headers:
            if name == b"content-length":
                length = int(value)
            elif name == REQUEST_ID:
                exchange.request_id = returnable(value)
        if length > limit:
            return BodyTooLarge(f"expected at most {limit} bytes, got {length}")
        most = self.limit_concurrency
        if most is not None and (len(self.connections) >= most or len(self.under_way) > most):
            return Overloaded("the server has as many requests as it takes")
        return None

    def _gather(self, exchange: Exchange, body: bytes) -> None:
        if not self.body:
            self.body = body
        elif isinstance(self.body, bytes):
            self.body = bytearray(self.body) + body
        else:
            self.body += body
        limit = self.short_cuts.body_limit
        if len(self.body) > limit:
            self.body = b""
            self._refuse(exchange, BodyTooLarge(f"expected at most {limit} bytes, got more"))

    def _refuse(self, exchange: Exchange, error: WindjammerError) -> None:
        """Answer now, and close when the client has sent the rest of what nobody reads."""
        exchange.keep_alive = False
        self.deaf = True
        exchange.respond(failed(error))

    def answered(self, exchange: Exchange) -> None:
        """Send the answers that are due: those at the head of the line."""
        self.under_way.discard(exchange)
        if self.transport.is_closing():
            return
        exchanges = self.exchanges
        while exchanges and exchanges[0].response is not None:
            self._send(exchanges.popleft())
        if not exchanges:
            self._go_on()
        if self.flow.read_paused:
            self._resume_reading()

    def _send(self, exchange: Exchange) -> None:
        response, state = exchange.response, self.server_state
        assert response is not None
        close = not exchange.keep_alive or (self.draining and not self.exchanges and not self.pipeline)
        self.transport.write(
            self.short_cuts.heads.encode(response, exchange.request_id, close=close, defaults=state.default_headers)
        )
        state.total_requests += 1
        if not close:
            return
        if self.receiving is exchange:
            # Closing on what is still coming would reset the connection, and with it the answer.
            self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        else:
            self.transport.close()

    def _go_on(self) -> None:
        """All exchanges are answered: ASGI's turn, or the client's."""
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self.deaf:
            self.idle_since = self.loop.time()
            if self.idle_timer is None:
                self.idle_timer = self.loop.call_later(self.timeout_keep_alive, self._close_if_idle)

    def _close_if_idle(self) -> None:
        """One timer for many answers: setting it anew after each would cost more than to send it."""
        self.idle_timer = None
        if self.idle_since is None:
            return
        remaining = self.idle_since + self.timeout_keep_alive - self.loop.time()
        if remaining > 0:
            self.idle_timer = self.loop.call_later(remaining, self._close_if_idle)
        else:
            self.timeout_keep_alive_handler()

    def _unset_keepalive_if_required(self) -> None:
        self.idle_since = None
        if self.timeout_keep_alive_task is not None:
            super()._unset_keepalive_if_required()

    # Beside ASGI

    def _leave_to_asgi(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if not self.exchanges:
            self._unset_keepalive_if_required()
            super()._start_asgi_task(cycle, app)
            return
        cycle.keep_alive = cycle.keep_alive and not self.draining
        self.flow.pause_reading()
        self.pipeline.appendleft((cycle, app))

    def send_400_response(self, msg: str) -> None:
        if self.exchanges:
            self.pipeline.clear()  # what waits behind them has not begun, and the rest of it will never come
        elif self.cycle is not None and not self.cycle.response_complete:
            super().send_400_response(msg)
            return
        exchange, self.receiving = self.receiving, None
        if exchange is None and not self.deaf:
            exchange = self._enqueue(None, keep_alive=False)
        if exchange is None or exchange.response is not None:
            self._close_if_sent()
        else:
            self._refuse(exchange, BadRequest(msg))

    def _close_if_sent(self) -> None:
        """Close after an exchange that was refused before all of it had come, unless its answer still waits."""
        if not self.exchanges:
            self.transport.close()

    # Flow and life

    def _resume_reading(self) -> None:
        busy = len(self.exchanges) >= PIPELINE_LIMIT or self.pipeline or self.flow.write_paused
        if not busy and not self.transport.is_closing():
            self.flow.resume_reading()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._resume_reading()

    def shutdown(self) -> None:
        self.draining = True
        if self.pipeline or not self.exchanges:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self.exchanges.clear()
        if self.idle_timer is not None:
            self.idle_timer.cancel()
        super().connection_lost(exc)
