"""The process that serves HTTP."""

from __future__ import annotations

import gc
import socket
from math import ceil
from typing import TYPE_CHECKING

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selector.errors import WindjammerError
from serving.api.app import create_app
from serving.api.protocol import ShortCutProtocol

if TYPE_CHECKING:
    from serving.service import Service

GRACE = 5.0
"""Seconds beyond the longest timeout that open requests are waited for at the end."""


def run(service: Service, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; then no more connections, open requests are answered, and the service stops.

    Raises the WindjammerError that kept the service from starting.
    """
    _check_free(host, port)
    start = Start(create_app(service))
    config = uvicorn.Config(
        start,
        host=host,
        port=port,
        loop="uvloop",
        http=ShortCutProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=ceil(service.config.server.max_timeout + GRACE),
    )
    try:
        uvicorn.Server(config).run()
    except KeyboardInterrupt:
        pass  # uvicorn raises it again when all is done
    except SystemExit:
        if start.error is not None:
            raise start.error from None
        raise


YOUNG = 10_000
"""Objects made, beyond those freed, before the garbage collector looks at them.

By default it would do so for every hundred queries under way, and in vain: they leave no cycles.
"""


def _settle() -> None:
    """What is there at the start stays: from now on the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


class AddressTaken(WindjammerError):
    """The server cannot listen there."""

    status = 503
    phrase = "Address taken"


def _check_free(host: str, port: int) -> None:
    """Find out before the models are loaded, not after. Raises AddressTaken."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise AddressTaken(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


class Start:
    """Passes everything on, and keeps an error of ours at the start from being logged as a traceback: it is raised."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.error: WindjammerError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request, or the lifespan, on."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        failed: Message = {"type": "lifespan.startup.failed", "message": ""}

        async def send_unless_failed(message: Message) -> None:
            if message["type"] == failed["type"]:
                failed.update(message)
                return
            _settle()
            await send(message)

        try:
            await self.app(scope, receive, send_unless_failed)
        except WindjammerError as error:
            self.error = error
            await send({"type": failed["type"], "message": ""})
            raise
        except BaseException:
            await send(failed)
            raise
