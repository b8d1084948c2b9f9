from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from serving.demo.server import Server, ServerFailed, free_port

pytestmark = pytest.mark.anyio

PRETENDER = """
import http.server, subprocess, sys

class Ready(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

{prelude}
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Ready).serve_forever()
"""

WORKER = "[sys.executable, '-c', 'import sys; sys.stdin.read()']"
"""Ends when its parent does."""


def pretender(folder: Path, prelude: str = "") -> Server:
    script = folder / "pretender.py"
    script.write_text(PRETENDER.format(prelude=prelude))
    return Server(folder / "windjammer.toml", free_port(), command=(str(script),))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = pretender(tmp_path, f"worker = subprocess.Popen({WORKER}, stdin=subprocess.PIPE)")
    yield server
    server.stop()


async def test_a_server_that_is_stopped_leaves_nothing_behind(server: Server) -> None:
    await server.start()
    before = psutil.Process(os.getpid()).children(recursive=True)
    assert server.processes() == 2

    server.stop()

    assert not [process for process in before if process.is_running()]


async def test_a_killed_server_takes_its_workers_along_and_can_be_started_again(server: Server) -> None:
    await server.start()
    family = psutil.Process(os.getpid()).children(recursive=True)

    assert await server.kill() == []

    assert not [process for process in family if process.is_running()]
    await server.start()


async def test_what_outlives_a_killed_server_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.demo.server.GONE_TIMEOUT", 0.2)
    server = pretender(tmp_path, "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])")
    await server.start()

    left = await server.kill()

    assert len(left) == 1
    for process in left:
        process.kill()


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = pretender(tmp_path, "sys.exit('no such model')")

    with pytest.raises(ServerFailed, match="no such model"):
        await server.start()


async def test_a_server_that_never_gets_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.demo.server.START_TIMEOUT", 0.2)
    server = pretender(tmp_path, "import time; time.sleep(60)")

    try:
        with pytest.raises(ServerFailed, match="not ready"):
            await server.start()
    finally:
        server.stop()


def test_stopping_a_server_that_does_not_run_does_nothing(tmp_path: Path) -> None:
    Server(tmp_path / "windjammer.toml", port=1).stop()


def test_the_server_is_run_by_our_own_interpreter(tmp_path: Path) -> None:
    assert Server(tmp_path / "windjammer.toml", port=1)._command[0] == sys.executable
