"""What README shows a newcomer: typed in as it stands, it does what is printed there."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from tests.benchmarks.server import Server

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"(?s)```{language}\n(.*?)```", README)
    assert found is not None
    return found[1]


def conversation() -> list[tuple[str, Any, Any]]:
    """The route, the body and the printed answer of each `curl`."""
    found = re.findall(r"(?m)^    curl localhost:8000(\S+) -d '(.*)'\n\n    (\{.*\})$", README)
    return [(route, msgspec.json.decode(body), msgspec.json.decode(answer)) for route, body, answer in found]


def post(server: Server, route: str, body: Any) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{route}", msgspec.json.encode(body), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return msgspec.json.decode(answer.read())


def test_the_first_models_of_ones_own_answer_and_learn_as_printed(tmp_path: Path) -> None:
    server = Server(tmp_path, block("toml"))
    (tmp_path / "spam.py").write_text(block("python"))
    (ask, question, answer), (tell, truth, acknowledged) = conversation()
    try:
        server.start()
        said = post(server, ask, question)
        told = post(server, tell, truth | {"query_id": said["query_id"]})
        state = server.get("/admin/applications/spam/state")
    finally:
        server.close()

    assert told == acknowledged
    assert [*said] == [*answer]
    for varies in ("query_id", "output", "models"):
        del said[varies], answer[varies]
    assert said == answer
    assert sorted(known["count"] for known in state["models"].values()) == [0.0, 1.0]
