"""The server under demonstration: a process of its own, started, killed without warning, and stopped."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from selector.errors import WindjammerError
from serving.demo.connection import Connection

logger = logging.getLogger(__name__)

START_TIMEOUT = 120.0
"""Seconds until the server must be ready."""
STOP_TIMEOUT = 30.0
"""Seconds until it must have stopped when asked to."""
GONE_TIMEOUT = 15.0
"""Seconds until everything that it started must be gone when it was killed."""


class ServerFailed(WindjammerError):
    """The server did not start, or did not stop."""

    phrase = "Server failed"


class Server:
    """`windjammer serve` on a configuration; what it prints goes to `server.log` beside that.

    It gets a session of its own, so that Ctrl-C reaches it through us alone.
    """

    def __init__(
        self, configuration: Path, port: int, command: Sequence[str] = ("-P", "-m", "serving.cli", "serve")
    ) -> None:
        self.port = port
        self.log = configuration.parent / "server.log"
        self._command = [sys.executable, *command, str(configuration), "--host", "127.0.0.1", "--port", str(port)]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> float:
        """Start, and wait until queries are admitted: the seconds that took. Raises ServerFailed."""
        started = time.perf_counter()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        while not await self._ready():
            if self._process.poll() is not None:
                raise ServerFailed(f"the server ended with {self._process.returncode}:\n{self.last_words()}")
            if time.perf_counter() - started > START_TIMEOUT:
                raise ServerFailed(f"the server was not ready after {START_TIMEOUT:g} s:\n{self.last_words()}")
            await asyncio.sleep(0.05)
        return time.perf_counter() - started

    async def kill(self) -> list[psutil.Process]:
        """SIGKILL the server's process alone; wait for everything it had started to end. What is left after that."""
        assert self._process is not None
        family = _family(self._process.pid)
        self._process.kill()
        self._process.wait()
        self._process = None
        _, left = await asyncio.to_thread(psutil.wait_procs, family, GONE_TIMEOUT)
        return list(left)

    def processes(self) -> int:
        """How many processes the server runs, itself included."""
        assert self._process is not None
        return 1 + len(_family(self._process.pid))

    async def wait(self) -> int:
        """Wait until the server ends by itself: its exit code."""
        assert self._process is not None
        while self._process.poll() is None:
            await asyncio.sleep(0.1)
        return self._process.returncode

    def stop(self) -> None:
        """Ask the server to stop, and make sure that nothing of it is left; nothing to do if it does not run."""
        if self._process is None:
            return
        process, self._process = self._process, None
        family = _family(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            logger.warning("the server did not stop within %g s", STOP_TIMEOUT)
        finally:
            process.kill()
            process.wait()
            for left in psutil.wait_procs(family, GONE_TIMEOUT)[1]:
                left.kill()

    def last_words(self) -> str:
        """The end of what the server printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    async def _ready(self) -> bool:
        async with Connection(self.port) as connection:
            try:
                return (await connection.get("/v2/health/ready")).status == 200
            except (ConnectionError, TimeoutError):
                return False


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _family(pid: int) -> list[psutil.Process]:
    """Everything that a process has started, directly or not."""
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []
