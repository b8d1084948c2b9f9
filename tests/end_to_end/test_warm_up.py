"""A server that starts with what a file has taught."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest
from typer.testing import CliRunner

from feedback_store.opening import open_log
from serving.cli import app
from serving.config import load
from tests.benchmarks.audit import Audit
from tests.benchmarks.ledger import Ledger
from tests.benchmarks.load import Connection
from tests.end_to_end.conftest import Serve

CONFIG = """
[models.right]
runtime = "python"
artifact = "noop:Sum"

[models.half-right]
runtime = "python"
artifact = "noop:Sum"
options = {{ wrong_every = 2 }}
cost = 0.1

[applications.sums]
models = ["half-right", "right"]
input = {{ datatype = "FP64", shape = [1] }}
policy = "{policy}"
slo_ms = 1000
"""
ROWS = 300


@pytest.mark.parametrize("policy", ["cascade", "ensemble"])
def test_a_server_starts_with_what_the_file_taught(policy: str, serve: Serve) -> None:
    server = serve(CONFIG.format(policy=policy))
    said = [(i % 7, i % 7 + (i % 2 == 0)) for i in range(ROWS)]
    rows = [f"{right},{right},{other}" for right, other in said]
    outputs = server.folder / "outputs.csv"
    outputs.write_text("\n".join(["label,right,half-right", *rows]))
    command = ["warm-up", "sums", str(outputs), "--config", str(server.folder / "windjammer.toml")]
    assert CliRunner().invoke(app, command).exit_code == 0

    server.start()
    state = server.get("/admin/applications/sums/state")
    counts = {model: known["count"] for model, known in state["models"].items()}
    assert counts == {"right:1": ROWS, "half-right:1": ROWS}
    assert state["models"]["half-right:1"]["loss"] > 0.4 > 0.1 > state["models"]["right:1"]["loss"]
    refused = CliRunner().invoke(app, command)
    assert (refused.exit_code, "a server runs on this log" in refused.stderr) == (2, True)

    asyncio.run(_observe(server.port))
    state = server.get("/admin/applications/sums/state")
    server.close()
    configuration = load(server.folder / "windjammer.toml")
    audit = Audit(configuration.applications["sums"], Ledger())
    with closing(open_log(configuration.store.url)) as log:
        assert not [*audit.read(log), *audit.running(state)]


async def _observe(port: int) -> None:
    """One query is answered and learned from after all that."""
    async with Connection(port) as connection:
        answer = (await connection.post("/sums/predict", {"input": [5.0]})).json()
        told = await connection.post("/sums/observe", {"query_id": answer["query_id"], "label": 5.0})
        assert told.json() == {"status": "applied"}
