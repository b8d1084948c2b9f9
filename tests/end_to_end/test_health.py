"""A real worker that begins to fail: seen, left out, probed, taken back; and all of it again after SIGKILL."""

from __future__ import annotations

import asyncio
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from feedback_store.opening import open_log
from selector.decisions import HealthChanged
from serving.config import load
from tests.benchmarks.audit import Audit
from tests.benchmarks.ledger import Ledger
from tests.benchmarks.load import Connection
from tests.benchmarks.server import Server, until
from tests.end_to_end.conftest import Serve

CONFIG = "".join(
    f"""
[models.{name}]
runtime = "python"
artifact = "noop:{kind}"
options = {options}
"""
    for name, kind, options in (
        ("steady", "Sum", "{}"),
        ("so-so", "Sum", "{ wrong_every = 5 }"),
        ("sick", "Sick", '{ sick = "sick.txt" }'),
    )
)
CONFIG += """
[applications.sums]
models = ["steady", "so-so", "sick"]
input = { datatype = "FP64", shape = [2] }
policy = "exp4"
slo_ms = 1000
probing_share = 0.2
"""

NUMBERS = count(1)


@pytest.mark.slow
@pytest.mark.parametrize(("symptom", "labels"), [("raise", False), ("3", False), ("-1", True)])
def test_a_failing_worker_is_left_out_and_comes_back(serve: Serve, symptom: str, labels: bool) -> None:
    server = serve(CONFIG)
    server.start()
    _ask(server, 200, labels)
    assert _states(server) == {"sick:1": "healthy", "so-so:1": "healthy", "steady:1": "healthy"}

    sick: Path = server.folder / "sick.txt"
    sick.write_text(symptom)
    _until(server, "quarantined", labels)
    assert set(_ask(server, 1, labels)["models"]) == {"so-so:1", "steady:1"}
    told = server.get("/admin/applications/sums/health")["sick:1"]
    assert told["evidence"]
    assert 'windjammer_model_health{application="sums",model="sick:1",state="quarantined"} 1.0' in server.get(
        "/metrics"
    )

    server.kill()
    server.until_gone()
    server.start()
    assert server.get("/admin/applications/sums/health")["sick:1"] == told
    assert set(_ask(server, 1, labels)["models"]) == {"so-so:1", "steady:1"}

    sick.unlink()
    _until(server, "healthy", labels)
    assert set(_ask(server, 1, labels)["models"]) == {"sick:1", "so-so:1", "steady:1"}
    _is_in_the_log(server)


def _ask(server: Server, queries: int, labels: bool) -> dict[str, Any]:
    """Different queries, one after the other; the last answer."""

    async def ask() -> dict[str, Any]:
        answer: dict[str, Any] = {}
        async with Connection(server.port) as connection:
            for _ in range(queries):
                values = [float(next(NUMBERS)), 0.0]
                answer = (await connection.post("/sums/predict", {"input": values})).json()
                if labels:
                    told = {"query_id": answer["query_id"], "label": sum(values)}
                    assert (await connection.post("/sums/observe", told)).status == 200
        return answer

    return asyncio.run(ask())


def _until(server: Server, state: str, labels: bool) -> None:
    def reached() -> bool:
        _ask(server, 20, labels)
        return _states(server)["sick:1"] == state

    until(reached, 30, f"the sick model is {state}", server)


def _states(server: Server) -> dict[str, str]:
    (row,) = server.get("/admin/applications")
    states: dict[str, str] = row["health"]
    return states


def _is_in_the_log(server: Server) -> None:
    configuration = load(server.folder / "windjammer.toml")
    state = server.get("/admin/applications/sums/state")
    audit = Audit(configuration.applications["sums"], Ledger())
    with closing(open_log(configuration.store.url)) as log:
        assert not [*audit.read(log), *audit.recovered(log, []), *audit.running(state)]
        changes = [entry.event for entry in log.entries("sums") if isinstance(entry.event, HealthChanged)]
    course = [change.state for change in changes if change.model == "sick:1"]
    assert [state for state in course if state != "suspect"][:3] == ["quarantined", "probing", "healthy"]
