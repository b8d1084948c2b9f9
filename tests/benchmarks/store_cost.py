"""What the store costs: `python tests/benchmarks/store_cost.py [folder]`.

Prints microseconds for each row spooled and drained into SQLite (alone, and beside a busy event loop), and
observes a second, with the time from `append` to the acknowledgement, at several numbers in flight.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

from feedback_store.contract import Applied, Pending, Row
from feedback_store.opening import open_log
from feedback_store.spool import Spool
from feedback_store.writer import Writer
from selector.decisions import Answer, Decision, Feedback, Prediction, Query, Selection, encode

ROWS = 60_000
OBSERVES = 4_096
ids = count(1)


def a_row() -> Row:
    """A decision of Exp3 over five models, about 230 bytes as spooled."""
    query = next(ids)
    models = tuple(f"digits-model-{i}:1" for i in range(5))
    decision = Decision(
        "digits",
        Query(query, models, "user-1"),
        time.time(),
        "exp3",
        (Selection(models[:1], 0.2),),
        {models[0]: Prediction(7)},
        Answer(7, 0.5),
    )
    return Row(query, "digits", "user-1", None, encode(decision))


def fsyncing(folder: Path) -> None:
    """What the disk takes: an append and a flush."""
    times = []
    with (folder / "flushed").open("wb", buffering=0) as file:
        for _ in range(200):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    print(f"write and fdatasync: {spread(times)} ms")


def spooling(folder: Path) -> None:
    """The copy into the spool alone."""
    spool = Spool(folder / "spool")
    rows = [a_row() for _ in range(ROWS)]
    times = []
    for row in rows:
        start = time.perf_counter()
        spool.append(row)
        times.append(time.perf_counter() - start)
    print(f"spool.append               {sum(times) / ROWS * 1e6:8.2f} us a row, worst {max(times) * 1e6:.0f} us")
    spool.forget(spool.read(ROWS)[1])
    spool.close()


def recording(folder: Path) -> None:
    """What `record` costs its caller, and the drain beside nothing else."""
    writer = Writer(open_log(f"sqlite:///{folder}/record.db"), Spool(folder / "spool"), lambda call: call())
    rows = [a_row() for _ in range(ROWS)]
    start = time.perf_counter()
    cpu = time.thread_time()
    for row in rows:
        writer.record(row)
    recorded, cpu = time.perf_counter() - start, time.thread_time() - cpu
    drained = Event()
    writer.call(lambda log: log.last_query(), lambda _: drained.set())
    drained.wait()
    total = time.perf_counter() - start
    writer.close()
    print(f"writer.record              {recorded / ROWS * 1e6:8.2f} us a row, {cpu / ROWS * 1e6:.2f} us of its CPU")
    print(f"recorded and in SQLite     {total / ROWS * 1e6:8.2f} us a row")


async def beside_a_busy_loop(folder: Path) -> None:
    """The drain while the loop's thread computes in turns of 100 us, and what that does to the turns."""
    loop = asyncio.get_running_loop()
    quiet = asyncio.Event()
    loop.call_later(1, quiet.set)
    alone = await turns_until(quiet)
    writer = Writer(open_log(f"sqlite:///{folder}/busy.db"), Spool(folder / "spool"), loop.call_soon_threadsafe)
    for _ in range(ROWS):
        writer.record(a_row())
    drained = asyncio.Event()
    writer.call(lambda log: log.last_query(), lambda _: drained.set())
    start = time.perf_counter()
    beside = await turns_until(drained)
    total = time.perf_counter() - start
    writer.close()
    print(f"drained beside a busy loop {total / ROWS * 1e6:8.2f} us a row")
    print(f"  a turn of the loop: {spread(beside)} ms, without the writer {spread(alone)} ms")


async def turns_until(done: asyncio.Event) -> list[float]:
    """Seconds of each turn."""
    turns = []
    while not done.is_set():
        start = time.perf_counter()
        sum(range(4_000))
        await asyncio.sleep(0)
        turns.append(time.perf_counter() - start)
    return turns


def spread(seconds: list[float]) -> str:
    cuts = [1e3 * q for q in quantiles(seconds, n=100)]
    return f"p50 {cuts[49]:.2f}, p99 {cuts[98]:.2f}"


async def observing(url: str, folder: Path, in_flight: int) -> None:
    """Observes with so many waiting at a time, each about a decision recorded just before."""
    loop = asyncio.get_running_loop()
    writer = Writer(open_log(url), Spool(folder / "spool"), loop.call_soon_threadsafe)
    waits: list[float] = []

    async def one_after_another(n: int) -> None:
        for _ in range(n):
            row = a_row()
            writer.record(row)
            start = time.perf_counter()
            outcome = await acknowledged(loop, partial(writer.append, feedback(row.query)))
            assert isinstance(outcome, Applied), outcome
            waits.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(one_after_another(OBSERVES // in_flight) for _ in range(in_flight)))
    rate = len(waits) / (time.perf_counter() - start)
    writer.close()
    name = url.split(":")[0]
    print(f"{name:20} {in_flight:4} in flight {rate:8.0f} observes/s; {spread(waits)} ms")


def feedback(query: int) -> Pending:
    return Pending("digits", "user-1", time.time(), Feedback((query,), label=7))


async def acknowledged(loop: asyncio.AbstractEventLoop, begin: Callable[[Callable[[Any], None]], None]) -> Any:
    future: asyncio.Future[Any] = loop.create_future()
    begin(future.set_result)
    return await future


def main() -> None:
    with TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        folder = Path(name)
        fsyncing(folder)
        spooling(folder)
        recording(folder)
        asyncio.run(beside_a_busy_loop(folder))
        for in_flight in (1, 32, 256):
            asyncio.run(observing(f"sqlite:///{folder}/observe{in_flight}.db", folder, in_flight))


if __name__ == "__main__":
    main()
