"""The command line, as someone at a terminal meets it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from serving.cli import EXAMPLE, app


def windjammer(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from serving.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


class Admin(BaseHTTPRequestHandler):
    """A server that has two models, and nothing else."""

    models: ClassVar = [
        {"model": "svm:1", "available": True, "mean_batch": 3.14159},
        {"model": "cnn:2", "available": False},
    ]

    def do_GET(self) -> None:
        found = self.path == "/admin/models"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(json.dumps(self.models).encode() if found else b"{}")

    def log_message(self, *args: object, **kwargs: object) -> None:
        """Nothing: stderr belongs to what is tested."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Admin) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_the_version_is_that_of_the_distribution() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.output == f"windjammer {version('windjammer')}\n"


@pytest.mark.parametrize(
    "command", [["serve"], ["demo"], ["replay"], ["warm-up"], ["models"], ["applications"], ["db", "upgrade"]]
)
def test_every_command_teaches_by_an_example(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert f"Example: windjammer {' '.join(command)}" in " ".join(result.output.split())


def test_a_missing_file_is_answered_with_the_least_that_can_be_served(tmp_path: Path) -> None:
    result = windjammer("serve", folder=tmp_path)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: no file windjammer.toml.")
    assert EXAMPLE in result.stderr


def test_a_mistake_in_the_file_is_one_line_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "windjammer.toml").write_text(EXAMPLE.replace('"exp3"', '"exp33"'))
    result = windjammer("serve", "windjammer.toml", folder=tmp_path)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "windjammer.toml: [applications.first] policy: unknown policy 'exp33'; did you mean 'exp3'?" in result.stderr


def test_an_unknown_command_is_a_usage_error(tmp_path: Path) -> None:
    result = windjammer("sevre", folder=tmp_path)
    assert result.returncode == 2
    assert "serve" in result.stderr


def test_models_are_listed_as_a_table(server: str) -> None:
    result = CliRunner().invoke(app, ["models", "--url", server])
    assert result.exit_code == 0
    rows = [line.split() for line in result.output.splitlines() if ":" in line]
    assert rows == [["svm:1", "True", "3.142"], ["cnn:2", "False"]]


def test_models_are_listed_as_json(server: str) -> None:
    result = CliRunner().invoke(app, ["models", "--url", server, "--json"])
    assert json.loads(result.output) == Admin.models


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = windjammer("models", "--url", "http://127.0.0.1:9", folder=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("error: no server at http://127.0.0.1:9")


def test_another_server_is_told_apart(server: str, tmp_path: Path) -> None:
    result = windjammer("applications", "--url", server, folder=tmp_path)
    assert result.returncode == 1
    assert "is not what a Windjammer server answers" in result.stderr


def test_the_database_is_made_and_upgrading_it_again_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "windjammer.toml").write_text(EXAMPLE)
    assert windjammer("db", "upgrade", folder=tmp_path).returncode == 0
    made = (tmp_path / "windjammer.db").read_bytes()
    assert windjammer("db", "upgrade", "--url", f"sqlite:///{tmp_path}/windjammer.db", folder=Path("/")).returncode == 0
    assert (tmp_path / "windjammer.db").read_bytes() == made
