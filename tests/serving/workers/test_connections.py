"""One worker's sockets and several front ends, over real sockets; the model is scripted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.workers import connections, frames
from serving.workers.connections import Connections
from serving.workers.frames import Ask, Decoder, Header, Labels, Ping, Pong

DEADLINE = 10.0


class Worker:
    """Answers each batch, when `gate` lets it; `inside` counts those begun, `seen` has those answered, in order."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.gate = threading.Semaphore(0)
        self.inside = threading.Semaphore(0)
        self.seen: list[int] = []
        self.padding = 0
        self.lifeline, inside = socket.socketpair()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self._run, args=(inside,))
        self.thread.start()

    def _run(self, lifeline: socket.socket) -> None:
        with lifeline, self.listener:
            Connections(self.listener, lifeline, self.answer).serve()

    def answer(self, ask: Ask, body: bytearray) -> bytes:
        self.inside.release()
        assert self.gate.acquire(timeout=DEADLINE)
        self.seen.append(ask.batch)
        return frames.encode(Labels(ask.batch, ["x" * self.padding]))

    def end(self) -> None:
        self.lifeline.close()
        self.thread.join(DEADLINE)
        assert not self.thread.is_alive()


class FrontEnd:
    def __init__(self, worker: Worker) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(worker.path)
        self._decoder = Decoder()
        self._heard: list[Header] = []

    def ask(self, *batches: int) -> None:
        self.sock.sendall(b"".join(frames.encode(Ask(batch, "UINT8", (1,), 1), [b"a"]) for batch in batches))

    def ping(self) -> None:
        self.sock.sendall(frames.encode(Ping()))

    def hear(self) -> Header:
        while not self._heard:
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError
            self._heard += [header for header, _ in self._decoder.feed(data)]
        return self._heard.pop(0)

    def hear_batch(self) -> int:
        header = self.hear()
        assert isinstance(header, Labels)
        return header.batch


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(tmp_path / "w")
    yield worker
    worker.gate.release(1000)
    worker.end()


@pytest.fixture
def front_ends(worker: Worker) -> Iterator[tuple[FrontEnd, FrontEnd]]:
    pair = (FrontEnd(worker), FrontEnd(worker))
    yield pair
    for front_end in pair:
        front_end.sock.close()


def test_front_ends_take_turns_batch_by_batch(worker: Worker, front_ends: tuple[FrontEnd, FrontEnd]) -> None:
    greedy, modest = front_ends
    greedy.ask(0, 1, 2, 3, 4)
    worker.gate.release()
    assert greedy.hear_batch() == 0
    modest.ask(10, 11)
    worker.gate.release(6)
    assert [greedy.hear_batch() for _ in range(4)] == [1, 2, 3, 4]
    assert [modest.hear_batch() for _ in range(2)] == [10, 11]
    assert worker.seen.index(11) <= 5  # at most one batch of the other's before each


def test_a_ping_is_answered_between_batches_and_never_within_one(
    worker: Worker, front_ends: tuple[FrontEnd, FrontEnd]
) -> None:
    busy, asking = front_ends
    busy.ask(1, 2)
    assert worker.inside.acquire(timeout=DEADLINE)
    asking.ping()
    asking.sock.settimeout(0.05)
    with pytest.raises(TimeoutError):
        asking.hear()
    asking.sock.settimeout(DEADLINE)
    worker.gate.release()
    assert asking.hear() == Pong()
    assert worker.seen == [1]


def test_one_that_goes_away_hurts_nobody(worker: Worker, front_ends: tuple[FrontEnd, FrontEnd]) -> None:
    leaving, staying = front_ends
    leaving.ask(0, 1, 2)
    staying.ask(10)
    leaving.sock.close()
    worker.gate.release(4)
    assert staying.hear_batch() == 10
    staying.ping()
    assert staying.hear() == Pong()


def test_its_waiting_batches_are_dropped(worker: Worker, front_ends: tuple[FrontEnd, FrontEnd]) -> None:
    leaving, staying = front_ends
    leaving.ask(*range(8))
    worker.gate.release()
    assert leaving.hear_batch() == 0
    leaving.sock.close()
    worker.gate.release(10)
    staying.ask(10)
    assert staying.hear_batch() == 10
    assert len(worker.seen) <= 4


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", frames.encode(Pong()), b"\x00" * 9])
def test_garbage_ends_its_own_connection_only(
    worker: Worker, front_ends: tuple[FrontEnd, FrontEnd], garbage: bytes
) -> None:
    mad, sane = front_ends
    mad.sock.sendall(garbage)
    with pytest.raises(EOFError):
        mad.hear()
    worker.gate.release()
    sane.ask(1)
    assert sane.hear_batch() == 1


def test_one_that_does_not_read_holds_nobody_up(worker: Worker, front_ends: tuple[FrontEnd, FrontEnd]) -> None:
    deaf, listening = front_ends
    worker.padding = 1 << 22
    worker.gate.release(1000)
    deaf.ask(*range(4))
    listening.ask(9)
    assert listening.hear_batch() == 9
    assert [deaf.hear_batch() for _ in range(4)] == [0, 1, 2, 3]  # it gets all once it reads


def test_one_that_never_reads_is_given_up(
    worker: Worker, front_ends: tuple[FrontEnd, FrontEnd], monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf, listening = front_ends
    monkeypatch.setattr(connections, "_UNREAD", 1 << 22)
    worker.padding = 1 << 22
    worker.gate.release(1000)
    deaf.ask(*range(9))
    listening.ask(10)
    assert listening.hear_batch() == 10
    with pytest.raises((EOFError, ConnectionError)):
        [deaf.hear() for _ in range(9)]


def test_it_ends_with_its_lifeline(worker: Worker, front_ends: tuple[FrontEnd, FrontEnd]) -> None:
    worker.end()
    with pytest.raises(EOFError):
        front_ends[0].hear()
