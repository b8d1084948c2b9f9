from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from serving.demo.configuration import BLOCKS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DEADLINE = 240.0
MARK = "DEMONSTRATION"
WHOLE, HASTY = ("-m", "serving.cli", "demo"), ("-m", "tests.end_to_end.child_demo")


class Demonstration:
    """`windjammer demo` as a process, and everything that it starts: known by a mark in the environment."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.output = folder / "output.txt"
        self._mark = uuid.uuid4().hex
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(folder), MARK: self._mark},
            )

    def wait_for(self, pattern: str) -> str:
        """The first match of `pattern` in what was printed."""
        deadline = time.monotonic() + DEADLINE
        while (match := re.search(pattern, self.text)) is None:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.1)
        return match[0]

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def alive(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._marked(process)]

    def _marked(self, process: psutil.Process) -> bool:
        try:
            return bool(process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == self._mark)
        except psutil.Error:
            return False

    def end(self) -> None:
        for process in self.alive():
            process.kill()
        self.process.wait()


Start = Callable[..., Demonstration]


@pytest.fixture
def demonstrate(tmp_path: Path) -> Iterator[Start]:
    started: list[Demonstration] = []
    # jobs in the background of a script ignore Ctrl-C, and so would all that these tests start
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*command: str) -> Demonstration:
        started.append(Demonstration(tmp_path, *command))
        return started[-1]

    yield start
    for demo in started:
        demo.end()
    signal.signal(signal.SIGINT, ours)


def test_all_that_it_claims_holds_and_the_server_stays_up_until_told_otherwise(demonstrate: Start) -> None:
    demo = demonstrate(*WHOLE, "--queries", "1500", "--seed", "5", "--serve")
    demo.wait_for("The server stays up")
    url = re.search(r"http://127\.0\.0\.1:\d+", demo.text)
    assert url is not None

    assert demo.text.count("holds  ") >= 29
    assert "FAILS" not in demo.text
    assert httpx.get(f"{url[0]}/admin/applications/digits-exp4/state").json()["models"]["cnn:1"]["count"] > 0
    spent = httpx.get(f"{url[0]}/admin/applications/digits-cascade/state").json()["spending"]
    assert 0 < spent["gated:1"]["mean_cost"] < BLOCKS
    assert 'windjammer_cost_total{application="digits-cascade",model="gated:1"}' in httpx.get(f"{url[0]}/metrics").text
    image = Path(re.search(r"@(\S+image\.json)", demo.text)[1])  # type: ignore[index]
    assert httpx.post(f"{url[0]}/digits-exp4/predict", content=image.read_bytes()).json()["output"] in range(10)
    assert len(demo.alive()) > 6

    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(60) == 0
    assert demo.alive() == []


def test_ctrl_c_in_the_middle_leaves_no_process_and_no_file_behind(demonstrate: Start, tmp_path: Path) -> None:
    demo = demonstrate(*HASTY)
    demo.wait_for("Serving at")
    assert len(demo.alive()) > 6

    demo.process.send_signal(signal.SIGINT)

    assert demo.process.wait(60) != 0
    assert demo.alive() == []
    assert list(tmp_path.glob("windjammer-demo-*")) == []
