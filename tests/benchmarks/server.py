"""The server as a process of its own, in a folder of its own: started, watched, killed, stopped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
import psutil

NOOP = Path(__file__).with_name("noop.py")
MARK = "WINDJAMMER_TEST_LIFE"

T = TypeVar("T")


class ServerFailed(Exception):
    """It did not start, or something that had to happen did not."""


class Server:
    """`windjammer serve` on `folder`/windjammer.toml, with the models of noop.py beside it.

    Every process that a start brings forth carries a mark of its own in its environment, so that
    none can be overlooked. The server leads a session, so that Ctrl-C can be sent to its group alone.
    """

    def __init__(self, folder: Path, config: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.life = ""
        shutil.copy(NOOP, folder)
        self.configure(config)

    def configure(self, config: str) -> None:
        """What the next start serves."""
        (self.folder / "windjammer.toml").write_text(config)

    def launch(self) -> None:
        """Start, and do not wait."""
        self.life = uuid4().hex
        command = [sys.executable, "-m", "serving.cli", "serve", "windjammer.toml", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=os.environ | {MARK: self.life},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self) -> float:
        """Start, and wait until queries are admitted; the seconds that took."""
        started = time.monotonic()
        self.launch()
        until(self.is_ready, 60, "the server is ready", self)
        return time.monotonic() - started

    def is_ready(self) -> bool:
        """Whether queries are admitted. Raises ServerFailed if the process has ended."""
        if self.process is not None and self.process.poll() is not None:
            raise ServerFailed(f"the server ended with {self.process.returncode}:\n{self.last_words()}")
        try:
            self.get("/v2/health/ready")
        except (OSError, urllib.error.HTTPError):
            return False
        return True

    def get(self, path: str) -> Any:
        """GET; the decoded answer, text where it is not JSON. Raises OSError."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            body: bytes = answer.read()
            json = answer.headers.get_content_type() == "application/json"
        return msgspec.json.decode(body) if json else body.decode()

    def processes(self, module: str | None = None, life: str | None = None) -> list[psutil.Process]:
        """The processes of this life (or an earlier one) that live; those that run `module`."""
        marked = f"{MARK}={life or self.life}".encode()
        return [process for process in _with_environment(marked) if module is None or _runs(process, module)]

    def kill(self, process: psutil.Process | None = None) -> None:
        """SIGKILL the front end, or another process."""
        if process is not None:
            process.kill()
            return
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send a signal to the front end, or to its whole group, as a terminal does."""
        assert self.process is not None
        (os.killpg if group else os.kill)(self.process.pid, number)

    def wait(self, seconds: float = 30) -> int:
        """Wait until the front end has ended; its exit code."""
        assert self.process is not None
        return self.process.wait(seconds)

    def until_gone(self, life: str | None = None, seconds: float = 10) -> None:
        """Wait until no process of this life (or an earlier one) lives. Raises ServerFailed."""
        until(lambda: not self.processes(life=life), seconds, "no process is left", self)

    def close(self) -> None:
        """Stop in order; whatever does not obey is killed."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for process in self.processes() if self.life else []:
            process.kill()

    def last_words(self) -> str:
        """The end of what the server printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])


def until(happened: Callable[[], T], seconds: float, what: str, server: Server | None = None) -> T:
    """Wait for a condition, and return what it returned. Raises ServerFailed when `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while not (result := happened()):
        if time.monotonic() > deadline:
            words = "" if server is None else f"; the server's last words:\n{server.last_words()}"
            raise ServerFailed(f"not within {seconds:g} s: {what}{words}")
        time.sleep(0.01)
    return result


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _with_environment(marked: bytes) -> Iterator[psutil.Process]:
    """Living processes of this machine that were started with this in their environment; zombies have none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marked in (folder / "environ").read_bytes():
                yield psutil.Process(int(folder.name))
        except (OSError, psutil.NoSuchProcess):
            continue


def _runs(process: psutil.Process, module: str) -> bool:
    try:
        return module in process.cmdline()
    except psutil.Error:
        return False
