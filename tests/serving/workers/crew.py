"""A fleet of real processes, and a listener that remembers what it hears."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from selector.decisions import Label, Prediction
from serving.config import ModelConfig
from serving.errors import ModelFailed
from serving.values import Input
from serving.workers.fleet import Fleet
from serving.workers.replica import Replica

FOLDER = Path(__file__).parent
DEADLINE = 20.0


def model(name: str, toy: str, **settings: Any) -> ModelConfig:
    return ModelConfig(name=name, runtime="python", artifact=f"toys:{toy}", **settings)


def fleet(models: Sequence[ModelConfig], crew: Crew, folder: Path = FOLDER) -> Fleet:
    inputs = {model.key: ("FP32", (2,)) for model in models}
    return Fleet(models, folder, folder, {model.key: crew for model in models}, inputs)


def numbers(*values: float) -> list[Input]:
    """Inputs of two numbers, of which the second is 0."""
    return [Input("FP32", (2,), np.array([value, 0], "<f4").tobytes()) for value in values]


class Crew:
    """The replicas that are up, by name, and why those left that did."""

    def __init__(self) -> None:
        self.up: dict[str, Replica] = {}
        self.departures: list[tuple[str, str]] = []
        self._asked: dict[tuple[Replica, int], asyncio.Future[Any]] = {}
        self._count = 0

    def joined(self, replica: Replica) -> None:
        assert replica.name not in self.up
        self.up[replica.name] = replica

    def told(self, replica: Replica, batch: int, predictions: Sequence[Prediction | ModelFailed]) -> None:
        self._asked.pop((replica, batch)).set_result(predictions)

    def left(self, replica: Replica, reason: str) -> None:
        assert self.up.pop(replica.name) is replica
        self.departures.append((replica.name, reason))
        for key in [key for key in self._asked if key[0] is replica]:
            self._asked.pop(key).set_exception(ModelFailed(reason))

    def begin(self, name: str, inputs: Sequence[Input]) -> asyncio.Future[list[Prediction | ModelFailed]]:
        replica = self.up[name]
        self._count += 1
        future = self._asked[replica, self._count] = asyncio.get_running_loop().create_future()
        replica.send(self._count, inputs)
        return future

    async def ask(self, name: str, inputs: Sequence[Input]) -> list[Label | str]:
        """The outputs, and the messages of failures, of one batch."""
        rows: list[Prediction | ModelFailed] = await asyncio.wait_for(self.begin(name, inputs), DEADLINE)
        return [str(row) if isinstance(row, ModelFailed) else row.output for row in rows]

    async def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, f"in vain; up: {sorted(self.up)}, left: {self.departures}"
            await asyncio.sleep(0.01)

    async def until_back(self, name: str, departures: int) -> None:
        """Until that many have left, and the replica is up."""
        await self.until(lambda: len(self.departures) >= departures and name in self.up)


def supervisors(parent: int | None = None) -> list[psutil.Process]:
    """Those that a process (this one) has started."""
    return _running("serving.workers.supervisor", psutil.Process(parent).children())


def workers_of(supervisor: psutil.Process) -> list[psutil.Process]:
    return _running("serving.workers.process", supervisor.children())


def all_gone(processes: Sequence[psutil.Process]) -> bool:
    """Whether they end within the deadline. An orphan may wait for an `init` to reap it: it has ended."""
    deadline = time.monotonic() + DEADLINE
    while not all(map(_has_ended, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _running(module: str, processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if not _has_ended(process) and module in process.cmdline()]


def _has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
