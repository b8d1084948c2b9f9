"""However the server is stopped: whoever got in is answered, what was acknowledged is kept, and no process is left."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, closing

import pytest

from feedback_store.opening import open_log
from selector.decisions import Feedback
from serving.config import load
from tests.benchmarks.load import Connection, Response
from tests.benchmarks.noop import POISON
from tests.benchmarks.server import Server
from tests.end_to_end.conftest import Serve

CONFIG = """
[models.slow]
runtime = "python"
artifact = "noop:Sum"
options = { seconds = 0.7 }

[models.fast]
runtime = "python"
artifact = "noop:Misbehaving"
options = { how = "hang" }

[applications.slow]
models = ["slow"]
input = { datatype = "FP64", shape = [2] }
policy = "exp3"
slo_ms = 5000

[applications.fast]
models = ["fast"]
input = { datatype = "FP64", shape = [2] }
policy = "exp3"
slo_ms = 1000
default_output = -1.0
"""

WAITING = 8
"""Queries that wait for the slow model when the signal comes."""


@pytest.mark.parametrize(
    ("number", "group"), [(signal.SIGTERM, False), (signal.SIGINT, True)], ids=["SIGTERM", "Ctrl-C"]
)
def test_a_stop_under_load_answers_whoever_got_in_and_keeps_what_it_acknowledged(
    serve: Serve, number: signal.Signals, group: bool
) -> None:
    server = serve(CONFIG)
    server.start()
    responses, acknowledged = asyncio.run(_stop_under_load(server, number, group=group))
    assert [response.status for response in responses] == [200] * WAITING
    assert [response.json()["output"] for response in responses] == [row + 1.0 for row in range(WAITING)]
    assert server.wait() in (0, -number)
    server.until_gone(seconds=2)
    assert len(acknowledged) >= 200
    assert acknowledged <= _joined(server)


def test_when_the_front_end_is_killed_even_a_hung_worker_ends(serve: Serve) -> None:
    server = serve(CONFIG)
    server.start()
    asyncio.run(_hang(server))
    assert len(server.processes()) == 4
    server.kill()
    server.until_gone(seconds=5)


async def _hang(server: Server) -> None:
    async with Connection(server.port) as connection:
        response = await connection.post("/fast/predict", {"input": [POISON, 1.0], "timeout_ms": 50})
        assert response.json()["default"]


async def _stop_under_load(server: Server, number: signal.Signals, *, group: bool) -> tuple[list[Response], set[int]]:
    """Send the signal while some queries wait for the slow model and others come and go; what was answered."""
    acknowledged: set[int] = set()
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(Connection(server.port)) for _ in range(WAITING + 4)]
        others = [asyncio.create_task(_ask_and_tell(c, acknowledged)) for c in connections[WAITING:]]
        while len(acknowledged) < 200:
            await asyncio.sleep(0.01)
        waiting = [
            asyncio.create_task(c.post("/slow/predict", {"input": [row, 1]}))
            for row, c in enumerate(connections[:WAITING])
        ]
        while f'windjammer_under_way{{application="slow"}} {WAITING}.0' not in await asyncio.to_thread(
            server.get, "/metrics"
        ):
            assert not any(query.done() for query in waiting), "all were to be under way at one moment"
        server.signal(number, group=group)
        responses = await asyncio.gather(*waiting)
        await asyncio.gather(*others)
    return responses, acknowledged


async def _ask_and_tell(connection: Connection, acknowledged: set[int]) -> None:
    """Queries and feedback until the server refuses more."""
    try:
        while True:
            asked = await connection.post("/fast/predict", {"input": [1, 2]})
            if asked.status != 200:
                break
            query = asked.json()["query_id"]
            told = await connection.post("/fast/observe", {"query_id": query, "label": 3.0})
            if told.status != 200:
                break
            acknowledged.add(int(query))
        assert b"Shutting down" in (asked if asked.status != 200 else told).body
    except ConnectionError:
        return


def _joined(server: Server) -> set[int]:
    """The queries with feedback in the database."""
    config = load(server.folder / "windjammer.toml")
    with closing(open_log(config.store.url)) as log:
        events = [entry.event for entry in log.entries("fast")]
    return {query for event in events if isinstance(event, Feedback) for query in event.queries}
