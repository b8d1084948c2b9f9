"""The stream of questions in three stages: before the best model fails, while it fails, and after."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from serving.demo.configuration import APPLICATIONS
from serving.demo.connection import Connection
from serving.demo.digits import Digits
from serving.demo.evidence import Kill, Weights
from serving.demo.outcomes import STAGES
from serving.demo.server import Server
from serving.demo.users import Users

USERS = 16

State = dict[str, dict[str, float]]
"""What a policy knows of each model."""


class Stream:
    """Runs the stages against `server`, and keeps what there was to see.

    `flag` is the file that breaks the best model; `queries` is for each application and all stages together.
    """

    def __init__(self, server: Server, flag: Path, held_out: Digits, seed: int, queries: int, console: Console) -> None:
        self.users = Users(server.port, tuple(APPLICATIONS), held_out, seed, USERS, self._entered)
        self.weights: dict[str, Weights] = {}
        self.states: dict[str, State] = {}
        self.seconds: dict[str, float] = {}
        self.batches: dict[str, float] = {}
        self.kill: Kill
        self._server = server
        self._flag = flag
        self._total = queries * len(APPLICATIONS)
        self._done = 0
        self._halfway = asyncio.Event()
        self._progress = Progress(
            *(TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()),
            console=console,
            refresh_per_second=4,
        )
        self._task = self._progress.add_task("", total=self._total)

    async def run(self) -> None:
        """All three stages, with a crash in the middle of the second. Raises what the server's failure raises."""
        with self._progress:
            await self._stage("before", "all models are well")
            self._flag.touch()
            await self._stage("during", "the best answers at random")
            self._flag.unlink()
            await self._stage("after", "it is well again")
        self.batches = await self._mean_batches()

    async def _stage(self, stage: str, description: str) -> None:
        self._progress.update(self._task, description=description)
        number = STAGES.index(stage)
        questions = range(number * self._total // 3, (number + 1) * self._total // 3)
        started = time.perf_counter()
        asking = asyncio.create_task(self.users.ask(stage, questions))
        down = await self._crash(asking) if stage == "during" else 0.0
        await asking
        self.seconds[stage] = time.perf_counter() - started - down
        self.states = {application: await self._state(application) for application in APPLICATIONS}
        self.weights[stage] = {
            application: {model: known["weight"] for model, known in state.items()}
            for application, state in self.states.items()
        }

    async def _crash(self, asking: asyncio.Task[None]) -> float:
        """Kill the server when half of the questions are through, and start it again: seconds without a server."""
        asking.add_done_callback(lambda _: self._halfway.set())  # users who gave up are not waited for
        await self._halfway.wait()
        started, questions, processes = time.perf_counter(), self._done, self._server.processes()
        self.users.server_up.clear()
        left = await self._server.kill()
        self._say(f"SIGKILL after {questions:,} questions: {processes - len(left)} of {processes} processes are gone")
        await self._server.start()
        self.users.server_up.set()
        down = time.perf_counter() - started
        self._say(f"The server is back after {down:.1f} s, and the users carry on")
        self.kill = Kill(questions, processes, len(left), down)
        return down

    def _say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False)

    def _entered(self) -> None:
        self._done += 1
        self._progress.advance(self._task)
        if 2 * self._done >= self._total:
            self._halfway.set()

    async def _state(self, application: str) -> State:
        return msgspec.convert((await self._admin(f"applications/{application}/state"))["models"], State)

    async def _mean_batches(self) -> dict[str, float]:
        models = await self._admin("models")
        return {f"{model['name']}:{model['version']}": model["mean_batch"] for model in models if model["mean_batch"]}

    async def _admin(self, path: str) -> Any:
        async with Connection(self._server.port) as connection:
            return (await connection.get(f"/admin/{path}")).json()
