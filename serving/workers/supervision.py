"""Starting the supervisor from a front end, and ending it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from subprocess import PIPE, Popen, TimeoutExpired

from msgspec import json

from serving.workers.settings import SupervisorStart, WorkerSettings
from serving.workers.sockets import socket_folder

_GRACE = 5.0  # seconds to end all workers


@asynccontextmanager
async def supervised(workers: Sequence[WorkerSettings]) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    """A supervisor of these workers, as its control connection; at the end neither it nor a worker is left.

    The connection's end says that the supervisor has died, and its workers with it. Raises OSError if it
    cannot be started. To be entered on the main thread: the kernel takes the end of the thread that
    starts a process for the end of its parent.
    """
    with socket_folder() as folder:
        start = SupervisorStart(
            workers=tuple(workers),
            directory=str(folder),
            control=f"{folder}/control",
            parent=os.getpid(),
            log_level=logging.getLogger().level,
        )
        async with _running(start) as connection:
            yield connection


@asynccontextmanager
async def _running(start: SupervisorStart) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    process = Popen((sys.executable, "-P", "-m", "serving.workers.supervisor"), stdin=PIPE, stdout=PIPE, bufsize=0)
    try:
        await asyncio.to_thread(_introduce, process, json.encode(start) + b"\n")
        reader, writer = await asyncio.open_unix_connection(start.control)
        try:
            yield reader, writer
        finally:
            writer.close()
    finally:
        await asyncio.to_thread(_end, process)


def _introduce(process: Popen[bytes], settings: bytes) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(settings)
    if not process.stdout.readline():
        raise OSError("the supervisor ended at once")


def _end(process: Popen[bytes]) -> None:
    """Cut the lifeline, then be sure."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(_GRACE)
    except TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
