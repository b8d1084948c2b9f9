"""All workers, as one front end sees them."""

from __future__ import annotations

import asyncio
import logging
from asyncio import StreamWriter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from serving.config import ModelConfig
from serving.errors import ModelFailed
from serving.workers.announcements import Announcement, Failed, Ready, Restart, line, read_announcement
from serving.workers.backoff import Backoff
from serving.workers.replica import Listener, Replica
from serving.workers.settings import WorkerSettings
from serving.workers.supervision import supervised

logger = logging.getLogger(__name__)

_RECONNECT = 0.1  # seconds

HINT_EVERY = 5.0
"""Seconds between hints at what a start waits for."""


class Fleet:
    """The workers of `models`, under a supervisor process; each model's listener hears of its replicas.

    `listeners` are by model key; so is `inputs`: datatype and shape (-1: any size) of what a model will be
    asked, for the prediction that warms it up.
    """

    def __init__(
        self,
        models: Sequence[ModelConfig],
        model_root: Path,
        folder: Path,
        listeners: Mapping[str, Listener],
        inputs: Mapping[str, tuple[str, tuple[int, ...]]],
    ) -> None:
        self._workers = [
            _settings(model, index, model_root, folder, inputs.get(model.key))
            for model in models
            for index in range(model.replicas)
        ]
        self._listeners = listeners
        self._replicas: dict[str, Replica] = {}
        self._attending: dict[str, asyncio.Task[None]] = {}
        self._control: StreamWriter | None = None
        self._start = _Start(self._workers)
        self._run: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start all workers; returns when every model has a ready replica. On the main thread.

        Raises ModelFailed, and leaves nothing behind, when all replicas of a model have failed to start.
        """
        self._run = asyncio.create_task(self._supervise())
        try:
            await self._start.over()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all workers and the supervisor; every replica has left."""
        if self._run is not None:
            self._run.cancel()
            with suppress(asyncio.CancelledError):
                await self._run

    def restart(self, replica: str, reason: str) -> None:
        """Have a replica's process replaced. It leaves, and another joins."""
        if self._control is not None:
            self._control.write(line(Restart(replica, reason)))

    async def _supervise(self) -> None:
        """Hold on to a supervisor; should it die, start another."""
        clock = asyncio.get_running_loop().time
        backoff = Backoff()
        while True:
            began = clock()
            reason = "the supervisor died"
            try:
                await self._listen()
            except OSError as error:
                reason = f"the supervisor cannot be started: {error}"
            logger.error(reason)
            self._start.give_up(reason)
            await asyncio.sleep(backoff.delay(clock() - began))

    async def _listen(self) -> None:
        """One supervisor, from its start to its end."""
        async with supervised(self._workers) as (reader, self._control):
            try:
                async for text in reader:
                    self._heard(read_announcement(text))
            finally:
                self._control = None
                for name in list(self._attending):
                    self._leave(name, "the workers were ended")

    def _heard(self, announcement: Announcement) -> None:
        if isinstance(announcement, Ready):
            self._attending[announcement.replica] = asyncio.create_task(self._attend(announcement))
        elif isinstance(announcement, Failed):
            self._start.failed(announcement)
        else:
            self._leave(announcement.replica, f"{announcement.replica} {announcement.reason}")

    def _leave(self, name: str, reason: str) -> None:
        replica = self._replicas.pop(name, None)
        if replica is not None:
            replica.close(reason)
        attending = self._attending.pop(name, None)
        if attending is not None:
            attending.cancel()

    async def _attend(self, ready: Ready) -> None:
        """Hold on to a ready worker, until it is announced gone."""
        while True:
            replica = Replica(ready.replica, ready.model, self._listeners[ready.model])
            self._replicas[ready.replica] = replica
            await self._hold(replica, ready.socket)
            await asyncio.sleep(_RECONNECT)

    async def _hold(self, replica: Replica, socket: str) -> None:
        """One connection, from its start to its end."""
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: replica, socket)
            self._start.joined(replica.model)
            await replica.lost.wait()
        except OSError as error:
            logger.warning("%s: %s", replica.name, error)
        finally:
            replica.close("the connection was given up")


class _Start:
    """Whether every model has a ready replica by now, or one cannot have any."""

    def __init__(self, workers: Sequence[WorkerSettings]) -> None:
        self._failures: dict[str, dict[str, str | None]] = {}
        for worker in workers:
            self._failures.setdefault(worker.model, {})[worker.name] = None
        self._over = asyncio.Event()
        self._error: ModelFailed | None = None
        if not self._failures:
            self._over.set()

    async def over(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        while not self._over.is_set():
            try:
                await asyncio.wait_for(self._over.wait(), HINT_EVERY)
            except TimeoutError:
                logger.info("not ready after %.0f s: %s", clock() - began, ", ".join(sorted(self._failures)))
        if self._error is not None:
            raise self._error

    def joined(self, model: str) -> None:
        self._failures.pop(model, None)
        if not self._failures:
            self._over.set()

    def failed(self, failed: Failed) -> None:
        replicas = self._failures.get(failed.model, {})
        replicas[failed.replica] = failed.reason
        if failed.model in self._failures and None not in replicas.values():
            self.give_up(f"{failed.model}: {failed.reason}")

    def give_up(self, reason: str) -> None:
        if not self._over.is_set():
            self._error = ModelFailed(reason)
            self._over.set()


def _settings(
    model: ModelConfig, index: int, model_root: Path, folder: Path, asked: tuple[str, tuple[int, ...]] | None
) -> WorkerSettings:
    options = dict(model.options)
    return WorkerSettings(
        name=f"{model.key}/{index}",
        model=model.key,
        runtime=model.runtime,
        artifact=model.artifact,
        device=model.device,
        threads=options.pop("threads", 1),
        options=options,
        classes=model.classes,
        input=asked,
        model_root=str(model_root),
        folder=str(folder),
        hang_timeout=model.hang_timeout,
        start_timeout=model.start_timeout,
    )
