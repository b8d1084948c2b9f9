"""A running server that evaluates other policies on its own log, and adopts one that is better."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from typing import Any

from feedback_store.opening import open_log
from selector.decisions import PolicyChanged
from tests.benchmarks.load import Connection, Response
from tests.benchmarks.server import Server
from tests.end_to_end.conftest import Serve

CONFIG = """
[models.right]
runtime = "python"
artifact = "noop:Sum"

[models.half-right]
runtime = "python"
artifact = "noop:Sum"
options = { wrong_every = 2 }

[applications.sums]
models = ["half-right", "right"]
input = { datatype = "FP64", shape = [2] }
policy = { name = "static", model = "half-right" }
quarantine = false
shadow_share = 1.0
slo_ms = 1000
"""
RIGHT = {"name": "static", "model": "right"}
QUERIES = 120


def test_a_server_adopts_a_policy_that_is_better_and_keeps_it(serve: Serve) -> None:
    server = serve(CONFIG)
    server.start()
    asyncio.run(_teach(server))
    assert _policy(server) == "half-right"

    dry = _evaluate(server, candidates=["exp4", RIGHT], margin=0.1)
    assert (dry["adopt"], dry["adopted"]) == ("static model=right", False)
    assert dry["candidates"]["static model=right"]["value"] == 1.0
    assert dry["decisions"] == QUERIES
    assert _policy(server) == "half-right", "a dry run changes nothing"

    demanding = _evaluate(server, candidates=[RIGHT], margin=0.9, dry_run=False)
    assert (demanding["adopt"], demanding["adopted"]) == (None, False)
    assert "does not beat the current" in demanding["candidates"]["static model=right"]["reason"]

    adopted = asyncio.run(_evaluate_while_it_serves(server))
    assert adopted["adopted"]
    assert _policy(server) == "right"
    assert set(asyncio.run(_teach(server))) == {True}
    state = server.get("/admin/applications/sums/state")
    server.close()

    server.start()
    assert _policy(server) == "right", "it is in the log"
    assert server.get("/admin/applications/sums/state")["digest"] == state["digest"]
    server.close()
    with closing(open_log(f"sqlite:///{server.folder}/windjammer.db")) as log:
        entry = log.announcement("sums")
    assert entry is not None
    assert isinstance(entry.event, PolicyChanged)
    evidence = json.loads(entry.event.evidence)
    assert evidence["adopt"] == "static model=right"
    assert evidence["candidates"]["static model=right"]["low"] > evidence["current"]["value"] + evidence["margin"]
    assert evidence["decisions"] == adopted["decisions"] >= QUERIES


def test_what_cannot_be_evaluated_is_refused(serve: Serve) -> None:
    server = serve(CONFIG.replace("slo_ms", "adoption = false\nslo_ms"))
    server.start()
    bodies: dict[str, dict[str, Any]] = {
        "unknown policy 'exp33'; did you mean 'exp3'?": {"candidates": ["exp33"]},
        "unknown field 'candidate'; did you mean 'candidates'?": {"candidate": ["exp3"]},
        "Expected `array` of length >= 1": {"candidates": []},
        "the log has no decision with feedback": {"candidates": ["exp3"]},
        "adoption = false": {"candidates": ["exp3"], "dry_run": False},
    }
    for cause, body in bodies.items():
        response = asyncio.run(_post(server, body))
        assert response.status in (400, 409)
        assert cause in response.json()["cause"]


def _policy(server: Server) -> str:
    """The model that the policy in force asks."""
    model: str = server.get("/admin/applications/sums")["policy"]["model"]
    return model


def _evaluate(server: Server, **body: Any) -> dict[str, Any]:
    response = asyncio.run(_post(server, body))
    assert response.status == 200, response.body
    found: dict[str, Any] = response.json()
    return found


async def _post(server: Server, body: dict[str, Any]) -> Response:
    async with Connection(server.port) as connection:
        return await connection.post("/admin/applications/sums/evaluate", body)


async def _evaluate_while_it_serves(server: Server) -> dict[str, Any]:
    """An adoption, with queries and feedback going on: they do not wait until it is over."""
    deciding = asyncio.create_task(_post(server, {"candidates": [RIGHT], "margin": 0.1, "dry_run": False}))
    answered = 0
    while not deciding.done():
        await _teach(server, 5)
        answered += 0 if deciding.done() else 5
    assert answered > 0
    found: dict[str, Any] = (await deciding).json()
    return found


async def _teach(server: Server, queries: int = QUERIES) -> list[bool]:
    """Queries, then their labels; which answers were right."""
    asked: list[tuple[str, float, float]] = []
    async with Connection(server.port) as connection:
        for number in range(queries):
            values = [float(number), float(number % 7)]
            answer = (await connection.post("/sums/predict", {"input": values})).json()
            asked.append((answer["query_id"], sum(values), answer["output"]))
        for query, label, _ in asked:
            told = await connection.post("/sums/observe", {"query_id": query, "label": label})
            assert told.json() == {"status": "applied"}
    return [output == label for _, label, output in asked]
