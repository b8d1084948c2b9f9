"""Workers and their supervisor die at the worst moment: everyone who asked is answered, and they come back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psutil

from tests.benchmarks.load import Response, post_all
from tests.benchmarks.server import Server, until

CONFIG = """
[models.pair]
runtime = "python"
artifact = "noop:Sum"
replicas = 2
options = { seconds = 0.1, trace = "pair.trace" }

[models.single]
runtime = "python"
artifact = "noop:Sum"
options = { seconds = 0.1, trace = "single.trace" }

[applications.pair]
models = ["pair"]
input = { datatype = "FP64", shape = [2] }
policy = "exp3"
slo_ms = 8000

[applications.single]
models = ["single"]
input = { datatype = "FP64", shape = [2] }
policy = "exp3"
slo_ms = 8000
default_output = -1.0
"""

SUPERVISOR, WORKER = "serving.workers.supervisor", "serving.workers.process"


def test_a_sibling_takes_over_the_batch_of_a_worker_that_was_killed(server: Server) -> None:
    before = _whole(server)
    inputs = [[float(row), 1.0] for row in range(12)]
    responses = asyncio.run(_kill_in_mid_batch(server, "pair", [{"input": values} for values in inputs]))
    assert [response.status for response in responses] == [200] * 12
    assert [response.json()["output"] for response in responses] == [sum(values) for values in inputs]
    assert not any(response.json()["default"] for response in responses)
    until(lambda: len(_whole(server) - before) == 1, 20, "another worker stands in its place", server)


def test_without_a_sibling_the_successor_answers_or_the_default_with_its_reason(server: Server) -> None:
    _whole(server)
    patient = [{"input": [float(row), 2.0]} for row in range(4)]
    hurried = [{"input": [float(row), 3.0], "timeout_ms": 250} for row in range(4)]
    responses = asyncio.run(_kill_in_mid_batch(server, "single", [*hurried, *patient]))
    answers = [response.json() for response in responses]
    assert [response.status for response in responses] == [200] * 8
    assert [(answer["output"], answer["default"]) for answer in answers[4:]] == [(row + 2.0, False) for row in range(4)]
    defaults = [answer for answer in answers[:4] if answer["default"]]
    assert defaults, "nobody waits for a worker that is not there"
    for answer in defaults:
        assert answer["output"] == -1.0
        assert answer["default_explanation"]


def test_while_no_worker_is_up_the_default_says_so(server: Server) -> None:
    _whole(server)
    (worker,) = [p for p in server.processes(WORKER) if str(p.pid) in (server.folder / "single.trace").read_text()]
    server.kill(worker)

    def default() -> bool:
        (response,) = asyncio.run(post_all(server.port, "/single/predict", [{"input": [5, 6], "timeout_ms": 200}]))
        assert response.status == 200
        return b"No model is available" in response.body

    until(default, 5, "the default says that nobody is there", server)


def test_when_the_supervisor_is_killed_its_workers_end_and_others_take_their_place(server: Server) -> None:
    before = _whole(server)
    (supervisor,) = server.processes(SUPERVISOR)
    workers = server.processes(WORKER)
    server.kill(supervisor)
    _, left = psutil.wait_procs([supervisor, *workers], timeout=5)
    assert not left
    responses = asyncio.run(
        post_all(server.port, "/single/predict", [{"input": [row, 7], "timeout_ms": 200} for row in range(8)])
    )
    assert [response.status for response in responses] == [200] * 8
    assert not _whole(server) & before
    (response,) = asyncio.run(post_all(server.port, "/single/predict", [{"input": [9, 8]}]))
    assert (response.json()["output"], response.json()["default"]) == (17.0, False)


async def _kill_in_mid_batch(server: Server, model: str, contents: Sequence[object]) -> list[Response]:
    """Ask all at once, and kill the worker that has begun a batch; the answers."""
    trace = server.folder / f"{model}.trace"
    begun = len(trace.read_text())
    asking = asyncio.create_task(post_all(server.port, f"/{model}/predict", contents))
    while len(text := trace.read_text()) == begun or not text.endswith("\n"):
        await asyncio.sleep(0.001)
    server.kill(psutil.Process(int(text.split()[-1])))
    return await asking


def _whole(server: Server) -> set[int]:
    """Wait until every worker answers; their process ids."""

    def answered() -> bool:
        metrics = server.get("/metrics")
        return metrics.count("\nwindjammer_model_batch_limit{") == 3 and len(server.processes(WORKER)) == 3

    until(answered, 20, "all workers are there", server)
    return {process.pid for process in server.processes(WORKER)}
