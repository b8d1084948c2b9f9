"""Keeps one replica alive: starts its process, watches it, replaces it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from signal import Signals

from msgspec import json

from serving.workers import frames
from serving.workers.announcements import Announcement, Failed, Gone, Ready
from serving.workers.backoff import Backoff
from serving.workers.frames import Ping, Pong
from serving.workers.settings import READY, WorkerSettings, WorkerStart

logger = logging.getLogger(__name__)

_GRACE = 2.0  # seconds for an idle worker to see the end of its lifeline
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PING, _PONG = frames.encode(Ping()), frames.encode(Pong())


class Keeper:
    """One replica, whatever process it has at the moment. `announce` hears of each that comes and goes.

    Sockets are `path` and a number that no earlier process of the replica had.
    """

    def __init__(self, worker: WorkerSettings, path: str, announce: Callable[[Announcement], None]) -> None:
        self._worker = worker
        self._path = path
        self._announce = announce
        self._backoff = Backoff()
        self._restart: asyncio.Queue[str] = asyncio.Queue()

    def restart(self, reason: str) -> None:
        """Have the process replaced, if it is ready."""
        self._restart.put_nowait(reason)

    async def keep(self) -> None:
        """Keep the replica until cancelled; then its process has ended."""
        for number in count():
            lived = await self._live(f"{self._path}.{number}")
            delay = self._backoff.delay(lived)
            logger.info("%s is started again in %.1f s", self._worker.name, delay)
            await asyncio.sleep(delay)

    async def _live(self, path: str) -> float:
        """The life of one process; for how many seconds it was ready."""
        try:
            process = await self._spawn(path)
        except OSError as error:
            self._failed(f"cannot be spawned: {error}")
            return 0.0
        try:
            failure = await self._started(process)
            if failure is not None:
                self._failed(failure)
                return 0.0
            return await self._ready(process, path)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _spawn(self, path: str) -> Process:
        threads = dict.fromkeys(_THREADS, str(self._worker.threads))
        command = (sys.executable, "-P", "-m", "serving.workers.process")
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env={**os.environ, **threads})
        assert process.stdin is not None
        level = logging.getLogger().level
        start = WorkerStart(worker=self._worker, socket=path, parent=os.getpid(), log_level=level)
        process.stdin.write(json.encode(start) + b"\n")
        return process

    async def _started(self, process: Process) -> str | None:
        """Wait for the worker's news; None if it is ready, else why not."""
        assert process.stdout is not None
        try:
            news = await asyncio.wait_for(process.stdout.readline(), self._worker.start_timeout)
        except TimeoutError:
            return f"was not ready within {self._worker.start_timeout:g} s"
        if not news:
            return await _ended(process)
        told: str = json.decode(news)
        return None if told == READY else told

    async def _ready(self, process: Process, path: str) -> float:
        clock = asyncio.get_running_loop().time
        began = clock()
        while not self._restart.empty():  # meant for an earlier process
            self._restart.get_nowait()
        self._announce(Ready(self._worker.name, self._worker.model, path))
        try:
            reason = await self._gone(process, path)
        except asyncio.CancelledError:
            await _let_end(process)
            raise
        logger.warning("%s is gone: it %s", self._worker.name, reason)
        self._announce(Gone(self._worker.name, self._worker.model, reason))
        return clock() - began

    async def _gone(self, process: Process, path: str) -> str:
        """Wait until the process has ended, is silent, or is to be replaced; which of them, in words."""
        watches = [
            asyncio.ensure_future(watch)
            for watch in (_ended(process), _silent(path, self._worker.hang_timeout), self._restart.get())
        ]
        try:
            await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            return next(watch.result() for watch in watches if watch.done())
        finally:
            for watch in watches:
                watch.cancel()

    def _failed(self, reason: str) -> None:
        logger.error("%s failed to start: %s", self._worker.name, reason)
        self._announce(Failed(self._worker.name, self._worker.model, reason))


async def _ended(process: Process) -> str:
    code = await process.wait()
    return f"was killed by {Signals(-code).name}" if code < 0 else f"exited with code {code}"


async def _let_end(process: Process) -> None:
    """Ask a worker to end by itself, so that its model may clean up; not for long."""
    assert process.stdin is not None
    process.stdin.close()
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _GRACE)


async def _silent(path: str, patience: float) -> str:
    """Ask the worker over and over whether it lives, as one more front end; returns when it does not answer."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            while True:
                writer.write(_PING)
                if not await _answered(reader, patience):
                    return f"did not answer for {patience:g} s"
                await asyncio.sleep(min(1.0, patience / 4))
        finally:
            writer.close()
    except (OSError, EOFError):
        await asyncio.sleep(_GRACE)  # it is probably dying, and its end says more
        return "closed its connection"


async def _answered(reader: asyncio.StreamReader, patience: float) -> bool:
    """Whether a pong comes in time.

    Patience is spent in two halves: if this process was stopped itself (Ctrl-Z), the first half ends late,
    and the worker, which was probably stopped too, still has the second.
    """
    pong = asyncio.ensure_future(reader.readexactly(len(_PONG)))
    try:
        for _ in range(2):
            done, _ = await asyncio.wait({pong}, timeout=patience / 2)
            if done:
                return pong.result() == _PONG
        return False
    finally:
        pong.cancel()
