"""Shows that memory is bounded: resident sizes over many predict + observe, once every cache is full.

    python -m tests.benchmarks.memory --queries 500000

No input comes twice, and there are more users than are kept in memory. Exits with 1 if the resident
size of any process grows by more than 5 % after the warm-up.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import psutil
import uvloop
from msgspec import Struct, json
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.benchmarks.load import Connection
from tests.benchmarks.server import Server

CONFIG = """
[models.sum]
runtime = "python"
artifact = "noop:Sum"

[models.often-wrong]
runtime = "python"
artifact = "noop:Sum"
options = { wrong_every = 2 }

[applications.sum]
models = ["sum", "often-wrong"]
input = { datatype = "FP32", shape = [64] }
policy = "exp4"
slo_ms = 100
default_output = -1.0
cache_bytes = "4MiB"
"""

USERS = 30_000
CONNECTIONS = 64
GROWTH = 0.05
WINDOWS = 20
"""Samples are judged by the peaks of this many equal parts of the run: the spool's mapped files come and go."""


class Sample(Struct, frozen=True):
    """Resident bytes by process, after so many queries, `seconds` since the start."""

    queries: int
    seconds: float
    resident: dict[str, int]

    @property
    def total(self) -> int:
        """Of all processes."""
        return sum(self.resident.values())


class Load:
    """Queries that never repeat, each followed by its feedback. `samples` are taken as they go."""

    def __init__(self, server: Server, queries: int) -> None:
        self.server = server
        self.queries = queries
        self.samples: list[Sample] = []
        self.users: set[int] = set()
        self.failures: list[str] = []
        self.done = 0
        self._processes = dict(_named(server))
        self._began = time.monotonic()

    async def run(self, progress: Progress) -> None:
        """All queries, over some connections."""
        task = progress.add_task("predict + observe", total=self.queries)
        numbers = iter(range(self.queries))
        async with AsyncExitStack() as stack:
            connections = [await stack.enter_async_context(Connection(self.server.port)) for _ in range(CONNECTIONS)]
            clients = [asyncio.create_task(self._client(c, numbers)) for c in connections]
            while not all(client.done() for client in clients):
                await asyncio.sleep(0.25)
                self.samples.append(self._sample())
                progress.update(task, completed=self.done)
            for client in clients:
                client.result()

    async def _client(self, connection: Connection, numbers: Iterator[int]) -> None:
        rng = Random(id(connection))
        for number in numbers:
            user = int(USERS * rng.random() ** 4)  # some come often, most seldom
            self.users.add(user)
            values = [float(number), *(float(number % k) for k in range(2, 65))]
            asked = await connection.post("/sum/predict", {"input": values, "user": f"user-{user}"})
            query = json.decode(asked.body).get("query_id")
            told = await connection.post("/sum/observe", {"query_id": query, "label": sum(values)})
            if (asked.status, told.status) != (200, 200):
                self.failures.append(f"{asked.status} {asked.body!r}, {told.status} {told.body!r}")
            self.done += 1

    def _sample(self) -> Sample:
        resident = {name: process.memory_info().rss for name, process in self._processes.items()}
        return Sample(self.done, time.monotonic() - self._began, resident)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=500_000, help="after the warm-up")
    parser.add_argument("--warm-up", type=int, default=100_000, help="queries until all caches are full")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Progress() as progress:
        server = Server(Path(folder), CONFIG)
        try:
            server.start()
            load = Load(server, args.warm_up + args.queries)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(load.run(progress))
        finally:
            server.close()
    windows = peaks(load.samples, args.warm_up, args.queries)
    growth = max(max(w.resident[name] for w in windows) / size - 1 for name, size in windows[0].resident.items())
    console = Console()
    console.print(table(windows))
    console.print(f"{load.done:,} queries with as many inputs, {len(load.users):,} users")
    console.print(f"No process grew by more than {growth:.1%}")
    for failure in load.failures[:10]:
        console.print(f"[red]failed:[/red] {failure}", highlight=False)
    return 1 if growth > GROWTH or load.failures else 0


def peaks(samples: list[Sample], warm_up: int, queries: int) -> list[Sample]:
    """The largest sample of each window after the warm-up."""
    windows: dict[int, Sample] = {}
    for sample in samples:
        if sample.queries > warm_up:
            window = min(WINDOWS - 1, (sample.queries - warm_up) * WINDOWS // queries)
            windows[window] = max(sample, windows.get(window, sample), key=lambda s: s.total)
    return [windows[window] for window in sorted(windows)]


def table(windows: list[Sample]) -> Table:
    """Resident MB by process, for each window."""
    names = list(windows[0].resident)
    shown = Table("queries", "pairs/s", *names, "together", title="Peak resident memory, MB")
    before = Sample(0, 0.0, {})
    for window in windows:
        rate = (window.queries - before.queries) / (window.seconds - before.seconds)
        sizes = [*window.resident.values(), window.total]
        shown.add_row(f"{window.queries:,}", f"{rate:,.0f}", *(f"{size / 1e6:.1f}" for size in sizes))
        before = window
    return shown


def _named(server: Server) -> Iterator[tuple[str, psutil.Process]]:
    assert server.process is not None
    yield "front end", psutil.Process(server.process.pid)
    for module, name in (("serving.workers.supervisor", "supervisor"), ("serving.workers.process", "worker")):
        for number, process in enumerate(server.processes(module)):
            yield f"{name} {number}" if name == "worker" else name, process


if __name__ == "__main__":
    sys.exit(main())
