"""A server that starts again with other settings: what it knows is the fold of the whole log."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

from feedback_store.opening import open_log
from serving.config import load
from tests.benchmarks.audit import Audit
from tests.benchmarks.ledger import Ledger
from tests.benchmarks.load import Connection, post_all
from tests.benchmarks.server import Server
from tests.end_to_end.conftest import Serve

MODELS = """
[models.right]
runtime = "python"
artifact = "noop:Sum"

[models.half-right]
runtime = "python"
artifact = "noop:Sum"
options = { wrong_every = 2 }

[models.newcomer]
runtime = "python"
artifact = "noop:Sum"
"""

APPLICATION = """
[applications.sums]
models = {models}
input = {{ datatype = "FP64", shape = [2] }}
policy = "{policy}"
slo_ms = 1000
"""


def config(policy: str, *models: str) -> str:
    """One application."""
    return MODELS + APPLICATION.format(models=list(models), policy=policy)


def test_another_policy_and_other_models_start_with_all_that_the_log_knows(serve: Serve) -> None:
    server = serve(config("exp3", "half-right", "right"))
    server.start()
    asyncio.run(_teach(server))
    learned = _state(server)
    assert _weight(learned, "right:1") > _weight(learned, "half-right:1")
    server.close()

    server.configure(config("exp4", "half-right", "right"))
    server.start()
    refolded = _state(server)
    assert refolded["policy"]["name"] == "exp4"
    assert sum(model["count"] for model in refolded["models"].values()) == 200, "of each query one model had answered"
    assert _weight(refolded, "right:1") > _weight(refolded, "half-right:1")
    asyncio.run(_teach(server))
    taught = _state(server)
    server.kill()
    server.until_gone()

    server.configure(config("exp4", "newcomer", "right"))
    server.start()
    changed = _state(server)
    assert list(changed["models"]) == ["newcomer:1", "right:1"]
    assert changed["models"]["right:1"]["count"] == taught["models"]["right:1"]["count"] > 200
    assert changed["models"]["newcomer:1"]["count"] == 0
    (response,) = asyncio.run(post_all(server.port, "/sums/predict", [{"input": [1, 2]}]))
    assert response.json()["models"] == {"newcomer:1": 3.0, "right:1": 3.0}


async def _teach(server: Server) -> None:
    """Two hundred queries, each with its label."""
    async with Connection(server.port) as connection:
        for number in range(200):
            values = [float(number), float(number % 7)]
            query = {"input": values, "user": f"user-{number % 3}"}
            asked = await connection.post("/sums/predict", query)
            told = {"query_id": asked.json()["query_id"], "label": sum(values)}
            assert (await connection.post("/sums/observe", told)).json() == {"status": "applied"}


def _state(server: Server) -> dict[str, Any]:
    """What the server says that it knows, which has to be what the log says."""
    state: dict[str, Any] = server.get("/admin/applications/sums/state")
    configuration = load(server.folder / "windjammer.toml")
    audit = Audit(configuration.applications["sums"], Ledger())
    with closing(open_log(configuration.store.url)) as log:
        assert not [*audit.read(log), *audit.recovered(log, ["user-0", "user-2"]), *audit.running(state)]
    return state


def _weight(state: dict[str, Any], model: str) -> float:
    weight: float = state["models"][model]["weight"]
    return weight
