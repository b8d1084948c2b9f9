"""A million users: what they take on disk and in memory, and what a user costs who is not in memory.

    python -m tests.benchmarks.million --users 1000000

Each user gives one feedback. The history is committed through the log itself, and a server goes on from there. Then
queries with feedback arrive one by one, in turn from a user of a small circle, who is in memory (warm), and from one
who has not come since the start (cold), until more have come than are kept in memory: so nobody pays for the loading of
another user. Exits with 1 if the p99 of a cold user's predict is more than 1.2 times a warm one's.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import quantiles

import psutil
import uvloop
from msgspec import Struct, json
from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table

from feedback_store.contract import Applied, Pending, Row, Snapshot
from feedback_store.opening import open_log
from selector.decisions import (
    Answer,
    Decision,
    Event,
    Feedback,
    ModelsChanged,
    PolicyChanged,
    Prediction,
    Query,
    Selection,
    encode,
)
from serving.config import ApplicationConfig, load
from serving.knowledge import USERS
from serving.service import fold_key
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
input = { datatype = "FP32", shape = [4] }
policy = "POLICY"
slo_ms = 1000
cache_bytes = 0
"""

GROUP = 4_000
CIRCLE = 200
RATIO = 1.2


class Times(Struct):
    """Seconds that each predict took."""

    warm: list[float] = []
    cold: list[float] = []


def fill(database: Path, config: ApplicationConfig, users: int) -> None:
    """A log in which everyone has given one feedback, with the population's snapshot at its end."""
    log, population = open_log(f"sqlite:///{database}"), config.fold.everyone()
    beginning: Sequence[Event] = (PolicyChanged(config.policy.settings), ModelsChanged(config.models))
    rng, models = Random(0), config.models
    outcomes = log.commit((), [Pending(config.name, None, 0.0, event) for event in beginning])
    population.fold_all(outcome.entry for outcome in outcomes if isinstance(outcome, Applied))
    for start in track(range(0, users, GROUP), description="the history of all users"):
        rows, events = [], []
        for number in range(start, min(start + GROUP, users)):
            user, label = f"user-{number}", float(number)
            said = {model: Prediction(label + (model.startswith("often") and rng.random() < 0.5)) for model in models}
            query = Query(number + 1, models, user)
            decision = Decision(
                config.name, query, 0.0, config.policy.name, (Selection(models, 1.0),), said, Answer(label, 0.5)
            )
            rows.append(Row(query.id, config.name, user, None, encode(decision)))
            events.append(Pending(config.name, user, 0.0, Feedback((query.id,), label)))
        outcomes = log.commit(rows, events)
        population.fold_all(outcome.entry for outcome in outcomes if isinstance(outcome, Applied))
    log.save([Snapshot(config.name, None, fold_key(config.fold), population.position, population.encode())])
    log.close()


async def play(server: Server, users: int, visits: int, progress: Progress) -> Times:
    """Visits of warm and of cold users in turn."""
    times, rng = Times(), Random(1)
    strangers = rng.sample(range(CIRCLE, users), visits // 2)
    async with Connection(server.port) as connection:
        for user in [*range(CIRCLE)] * 2:
            await visit(connection, user)
        for stranger in progress.track(strangers, description="visits"):
            times.warm.append(await visit(connection, rng.randrange(CIRCLE)))
            times.cold.append(await visit(connection, stranger))
    return times


async def visit(connection: Connection, user: int) -> float:
    """A query and its feedback; the seconds that the query took."""
    began = time.perf_counter()
    asked = await connection.post("/sum/predict", {"input": [1.0, 2.0, 3.0, 4.0], "user": f"user-{user}"})
    took = time.perf_counter() - began
    told = await connection.post("/sum/observe", {"query_id": json.decode(asked.body)["query_id"], "label": 10.0})
    assert (asked.status, told.status) == (200, 200), (asked.body, told.body)
    return took


def resident(server: Server) -> float:
    """Of the front end, in MB."""
    assert server.process is not None
    return float(psutil.Process(server.process.pid).memory_info().rss) / 1e6


def rows(times: Times) -> Iterator[tuple[str, ...]]:
    """Milliseconds at the median and beyond."""
    for title, seconds in (("warm", times.warm), ("cold", times.cold)):
        cuts = quantiles(seconds, n=1000)
        yield title, f"{len(seconds):,}", *(f"{1e3 * cuts[i]:.2f}" for i in (499, 949, 989, 998))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--visits", type=int, default=3 * USERS, help="half of warm users, half of cold ones")
    parser.add_argument("--policy", default="exp4")
    args = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder, CONFIG.replace("POLICY", args.policy))
        fill(folder / "windjammer.db", load(folder / "windjammer.toml").applications["sum"], args.users)
        size = (folder / "windjammer.db").stat().st_size
        try:
            started = server.start()
            before = resident(server)
            with Progress() as progress, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                times = runner.run(play(server, args.users, args.visits, progress))
            after = resident(server)
        finally:
            server.close()
    table = Table("user", "predicts", "p50", "p95", "p99", "p99.8", title="milliseconds of a predict")
    for row in rows(times):
        table.add_row(*row)
    console.print(table)
    console.print(f"{args.users:,} users: {size / 1e6:,.0f} MB on disk, {size / args.users:,.0f} bytes each")
    console.print(f"started in {started:.1f} s; the front end has {before:.0f} MB, and {after:.0f} MB after all visits")
    ratio = quantiles(times.cold, n=100)[98] / quantiles(times.warm, n=100)[98]
    console.print(f"p99 of a cold user is {ratio:.2f} times that of a warm one")
    return 1 if ratio > RATIO else 0


if __name__ == "__main__":
    sys.exit(main())
