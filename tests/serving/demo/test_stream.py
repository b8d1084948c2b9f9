from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from serving.demo.configuration import APPLICATIONS
from serving.demo.digits import Digits
from serving.demo.outcomes import STAGES
from serving.demo.server import Server
from serving.demo.stream import Stream
from tests.serving.demo.conftest import pretending

pytestmark = pytest.mark.anyio

QUERIES = 180


class Pretended(Server):
    """Is killed and started without a process; notes when."""

    def __init__(self, port: int, flag: Path) -> None:
        super().__init__(flag, port)
        self.flag = flag
        self.story: list[str] = []

    async def __call__(self, path: str, body: dict[str, object]) -> tuple[int, object]:
        if path == "/admin/models":
            return 200, [{"name": "cnn", "version": "1", "mean_batch": 2.5}, {"name": "svm", "mean_batch": None}]
        if path.endswith("/state"):
            return 200, {"models": {"cnn:1": {"weight": float(self.flag.exists()), "count": 1}}}
        if path.endswith("/observe"):
            return 200, {"status": "applied"}
        said = 4 if self.flag.exists() else 3
        return 200, {"query_id": "1", "output": said, "default": False, "sure": None, "models": {"cnn:1": said}}

    def processes(self) -> int:
        return 7

    async def kill(self) -> list[object]:
        self.story.append("killed while broken" if self.flag.exists() else "killed while well")
        return []

    async def start(self) -> float:
        self.story.append("started")
        return 0.0


async def streamed(few_digits: Digits, flag: Path) -> tuple[Stream, Pretended]:
    server = Pretended(0, flag)
    async with pretending(server) as server.port:
        stream = Stream(server, flag, few_digits, seed=1, queries=QUERIES, console=Console(file=io.StringIO()))
        await stream.run()
    return stream, server


async def test_the_server_is_killed_once_in_the_middle_while_the_best_model_fails(
    few_digits: Digits, tmp_path: Path
) -> None:
    stream, server = await streamed(few_digits, tmp_path / "broken")

    assert server.story == ["killed while broken", "started"]
    questions = QUERIES * len(APPLICATIONS)
    assert questions / 2 <= stream.kill.questions < questions * 2 / 3
    assert (stream.kill.processes, stream.kill.left) == (7, 0)


async def test_the_best_model_fails_in_the_middle_third_alone(few_digits: Digits, tmp_path: Path) -> None:
    stream, server = await streamed(few_digits, tmp_path / "broken")

    third = QUERIES * len(APPLICATIONS) // 3
    said = Counter((outcome.stage, outcome.output) for outcome in stream.users.journal.outcomes)
    assert said == {("before", 3): third, ("during", 4): third, ("after", 3): third}
    assert not server.flag.exists()


async def test_what_the_policies_know_is_read_at_the_end_of_each_stage(few_digits: Digits, tmp_path: Path) -> None:
    stream, _ = await streamed(few_digits, tmp_path / "broken")

    assert {stage: stream.weights[stage]["digits-exp4"]["cnn:1"] for stage in STAGES} == dict(
        zip(STAGES, (0.0, 1.0, 0.0), strict=True)
    )
    assert set(stream.states) == set(APPLICATIONS)
    assert stream.batches == {"cnn:1": 2.5}
    assert set(stream.seconds) == set(STAGES)
