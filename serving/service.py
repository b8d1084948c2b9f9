"""Everything that runs in one front end, wired from the configuration; started and stopped in order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import TypeVar

from prometheus_client import CollectorRegistry

from feedback_store.contract import Log
from feedback_store.opening import open_log
from feedback_store.ownership import held_alone
from feedback_store.recovery import recover
from feedback_store.spool import Spool
from feedback_store.writer import Writer
from selector.errors import InvalidSetting, WindjammerError
from selector.fold import Fold
from serving.application import Application
from serving.config import ApplicationConfig, Config
from serving.deadlines import Deadlines
from serving.hooks import Hooks
from serving.knowledge import Knowledge
from serving.metrics import ServiceCollector
from serving.models import Model
from serving.promotion import announce, in_force
from serving.query_ids import QueryIds
from serving.surroundings import Surroundings
from serving.workers.fleet import Fleet

logger = logging.getLogger(__name__)

T = TypeVar("T")

GRACE = 2.0
"""Seconds beyond the longest timeout that calls under way are waited for at the end."""


class Service:
    """The applications, the models behind them, and the store beneath.

    Start: the store is recovered and folded, the workers come up, then queries are admitted.
    Stop: no more queries, those under way are answered, the workers end, the log is flushed.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.applications: dict[str, Application] = {}
        self.models: dict[str, Model] = {}
        self.ready = False
        self.registry = CollectorRegistry()
        self.registry.register(ServiceCollector(self))
        self._running = AsyncExitStack()

    async def start(self) -> None:
        """Come up, from whatever a crash has left.

        Raises WindjammerError with the reason if that is not possible; then nothing is left running.
        """
        try:
            await self._start()
        except BaseException:
            await self._running.aclose()
            raise
        self.ready = True

    async def stop(self) -> None:
        """Go down in order: refuse, drain, end the workers, flush."""
        self.ready = False
        for application in self.applications.values():
            application.closing = True
        await self._drain()
        for application in self.applications.values():
            application.knowledge.save()
        await self._running.aclose()

    async def _drain(self) -> None:
        """Wait until everybody has been answered, but not for ever."""
        deadline = time.monotonic() + self.config.server.max_timeout + GRACE
        while (waiting := sum(a.under_way for a in self.applications.values())) > 0:
            if time.monotonic() > deadline:
                logger.error("%d calls are given up: they got no answer in time", waiting)
                return
            await asyncio.sleep(0.005)

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        config = self.config
        folder = spool_folder(config)
        self._running.enter_context(held_alone(folder))
        log = open_log(config.store.url)
        recovered = recover(log, folder)
        if recovered:
            logger.info("recovered %d decisions from the spool", recovered)
        last_query = log.last_query()
        writer = Writer(log, Spool(folder), loop.call_soon_threadsafe)
        self._running.push_async_callback(asyncio.to_thread, writer.close)
        deadlines = Deadlines(time.monotonic, loop.call_later)
        self._running.callback(deadlines.close)
        around = Surroundings(
            writer,
            QueryIds(time.time, last=last_query),
            deadlines,
            time.time,
            time.monotonic,
            Random(),  # noqa: S311 - it chooses models and keeps no secret
            config.server.max_timeout,
        )
        self.models = {
            key: Model(model, self._objective(key), time.monotonic, loop.call_soon)
            for key, model in config.models.items()
        }
        in_use = [in_force(configured, log) for configured in config.applications.values()]
        self.applications = {a.name: self._application(a, around) for a in in_use}
        await _on_writer(writer, self._recover)
        fleet = Fleet(
            list(config.models.values()), config.server.model_root, config.folder, self.models, _inputs(config)
        )
        self._running.push_async_callback(fleet.stop)
        await fleet.start()

    def _objective(self, model: str) -> float:
        """The strictest objective of the applications that ask this model, in seconds."""
        asking = [a.slo for a in self.config.applications.values() if model in a.models]
        return min(asking, default=self.config.server.max_timeout)

    def _application(self, config: ApplicationConfig, around: Surroundings) -> Application:
        try:
            hooks = Hooks(config.user, config.features, config.blend)
        except InvalidSetting as error:
            raise InvalidSetting(f"[applications.{config.name}] {error}") from error
        knowledge = Knowledge(config.name, config.fold, hooks, around.writer, fold_key(config.fold))
        return Application(config, {key: self.models[key] for key in config.models}, knowledge, hooks, around)

    def _recover(self, log: Log) -> None:
        for application in self.applications.values():
            knowledge, config = application.knowledge, application.config
            folded = knowledge.recover(log)
            announce(log, config, knowledge.population, time.time())
            knowledge.save()
            told = "application %s: policy %s, knows all of the log, %d events of it read now"
            logger.info(told, config.name, config.policy.name, folded)


async def _on_writer(writer: Writer, read: Callable[[Log], T]) -> T:
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def settle(result: T | WindjammerError) -> None:
        if isinstance(result, WindjammerError):
            done.set_exception(result)
        else:
            done.set_result(result)

    writer.call(read, settle)
    return await done


def fold_key(fold: Fold) -> str:
    """Names the fold of an application's log, as snapshots carry it: version, and the settings that it depends on."""
    return f"{version('windjammer')} {fold.settings}"


def _inputs(config: Config) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Datatype and shape that each model is asked with; all models of one application get the same."""
    return {key: (a.input.datatype, a.input.shape) for a in config.applications.values() for key in a.models}


def spool_folder(config: Config) -> Path:
    """Beside an SQLite file, else beside the configuration."""
    sqlite, _, path = config.store.url.partition(":///")
    return Path(f"{path}-spool") if sqlite == "sqlite" else config.folder / "windjammer-spool"
