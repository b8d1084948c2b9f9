"""A trial in a process of its own, which gives way to the server: nobody waits for an answer because of it."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress

from msgspec import DecodeError, Struct, msgpack

from feedback_store.opening import open_log
from selector.errors import WindjammerError
from selector.replay import InvalidLog
from serving.replaying.gate import Finding, find, in_force_since
from serving.replaying.trial import Trial, follow
from serving.workers.lifeline import die_with


class Task(Struct, frozen=True, kw_only=True):
    """What the process is told: a trial, on the log at `url`; `parent` is the process id of who asks."""

    trial: Trial
    margin: float
    url: str
    parent: int


class Told(Struct, frozen=True, kw_only=True):
    """What it tells: a finding, or why there is none."""

    finding: Finding | None = None
    refusal: str = ""


async def in_own_process(trial: Trial, margin: float, url: str) -> Finding:
    """The gate's finding. If the caller is cancelled, or dies, so does the process.

    To be called on the main thread (see `die_with`). Raises InvalidLog if the log or a candidate is at fault.
    """
    command = (sys.executable, "-P", "-m", "serving.replaying.process")
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        task = Task(trial=trial, margin=margin, url=url, parent=os.getpid())
        output, _ = await process.communicate(msgpack.encode(task))
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    try:
        told = msgpack.decode(output, type=Told)
    except DecodeError:
        raise WindjammerError("the evaluation ended without a finding; the server's log says more") from None
    if told.finding is None:
        raise InvalidLog(told.refusal)
    return told.finding


def main() -> None:
    """Read a task, tell what is found."""
    task = msgpack.decode(sys.stdin.buffer.read(), type=Task)
    die_with(task.parent)
    os.nice(10)
    try:
        told = Told(finding=_found(task))
    except WindjammerError as error:
        told = Told(refusal=str(error))
    sys.stdout.buffer.write(msgpack.encode(told))


def _found(task: Task) -> Finding:
    log, trial = open_log(task.url), task.trial
    try:
        followed = follow(trial, log, since=in_force_since(log, trial.application))
        return find(trial, followed, task.margin, log)
    finally:
        log.close()


if __name__ == "__main__":
    main()
