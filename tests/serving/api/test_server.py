"""A real process: it starts, answers, and ends in order when it is told to."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from serving.api.server import GRACE
from tests.serving.api.wire import Answer, Answers, post

DEADLINE = 20.0
CLIENTS = 8


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def server(port: int, wait: str, max_timeout: str = "10") -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.serving.api.slow_server", str(port), wait, max_timeout]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def connect(port: int) -> socket.socket:
    end = time.monotonic() + DEADLINE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)  # a core that only asks again is one that the server lacks


def read_all(connection: socket.socket) -> list[Answer]:
    """All answers until the server closes."""
    with connection:
        return Answers(b"".join(iter(lambda: connection.recv(65536), b""))).all


def wait_until_asked(port: int) -> None:
    """One more connection, whose answer proves that what was sent before it has been read."""
    with connect(port) as connection:
        connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
        assert Answers(b"".join(iter(lambda: connection.recv(65536), b""))).all[0].status == 200


def wait_until_refused(port: int) -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.01)
    raise AssertionError("connections are still accepted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_open_requests_are_answered_before_the_end(number: signal.Signals) -> None:
    port = free_port()
    with server(port, "0.5") as process:
        connections = [connect(port) for _ in range(CLIENTS)]
        for connection in connections:
            connection.sendall(post() + post("/digits/predict?through=asgi") + post())
        wait_until_asked(port)
        process.send_signal(number)
        answers = [read_all(connection) for connection in connections]
        output, _ = process.communicate(timeout=DEADLINE)
    assert {tuple(answer.status for answer in each) for each in answers} == {(200, 200, 200)}
    assert {each[-1].headers["connection"] for each in answers} == {"close"}
    assert output.split() == ["start", "stop", str(3 * CLIENTS)]
    assert process.returncode in (0, -number)


def test_nobody_new_gets_in_while_the_last_are_answered() -> None:
    port = free_port()
    with server(port, "1") as process:
        connection = connect(port)
        connection.sendall(post())
        wait_until_asked(port)
        process.send_signal(signal.SIGTERM)
        wait_until_refused(port)
        assert [answer.status for answer in read_all(connection)] == [200]


def test_a_request_without_an_answer_does_not_keep_the_server_for_ever() -> None:
    port = free_port()
    short_patience = str(0.5 - GRACE)
    with server(port, "1000", short_patience) as process:
        connection = connect(port)
        connection.sendall(post())
        wait_until_asked(port)
        process.send_signal(signal.SIGTERM)
        (answer,) = read_all(connection)
        assert (answer.status, answer.json()["error"]) == (503, "Shutting down")
        assert process.communicate(timeout=DEADLINE)[0].split() == ["start", "stop", "1"]


def test_a_service_that_cannot_start_says_why_in_one_line() -> None:
    with server(free_port(), "broken") as process:
        output, errors = process.communicate(timeout=DEADLINE)
    assert output == "failed: svm:1: it does not load\n"
    assert "Traceback" not in errors
