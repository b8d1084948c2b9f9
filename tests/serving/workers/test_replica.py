from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from selector.decisions import Prediction
from serving.errors import ModelFailed
from serving.values import Input
from serving.workers import frames
from serving.workers.frames import Ask, BatchFailed, Decoder, Labels, Rows
from serving.workers.replica import Replica


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self

    def setsockopt(self, *arguments: int) -> None:
        pass


class Listener:
    def __init__(self) -> None:
        self.news: list[Any] = []

    def joined(self, replica: Replica) -> None:
        self.news.append("joined")

    def told(self, replica: Replica, batch: int, predictions: Sequence[Prediction | ModelFailed]) -> None:
        self.news.append((batch, [str(row) if isinstance(row, ModelFailed) else row for row in predictions]))

    def left(self, replica: Replica, reason: str) -> None:
        self.news.append(reason)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def replica(listener: Listener, transport: Transport) -> Replica:
    replica = Replica("svm:1/0", "svm:1", listener)
    replica.connection_made(transport)
    return replica


def test_a_batch_goes_out_in_one_frame(replica: Replica, transport: Transport) -> None:
    replica.send(3, [Input("UINT8", (2,), b"ab"), Input("UINT8", (2,), b"cd")])
    assert Decoder().feed(transport.written) == [(Ask(3, "UINT8", (2,), 2), bytearray(b"abcd"))]


def test_answers_become_predictions_one_for_each_input(replica: Replica, listener: Listener) -> None:
    stream = frames.encode(Labels(1, [7, "a"])) + frames.encode(Rows(2, [Prediction(1, 0.5), None], {1: "nan"}))
    replica.data_received(stream[:30])
    replica.data_received(stream[30:] + frames.encode(BatchFailed(3, 2, "LookupError: no")))
    assert listener.news == [
        "joined",
        (1, [Prediction(7), Prediction("a")]),
        (2, [Prediction(1, 0.5), "svm:1: nan"]),
        (3, ["svm:1: LookupError: no"] * 2),
    ]


def test_a_lost_connection_is_told_once(replica: Replica, listener: Listener, transport: Transport) -> None:
    replica.connection_lost(None)
    replica.close("later")
    replica.send(1, [Input("UINT8", (1,), b"a")])
    assert listener.news == ["joined", "svm:1/0 ended"]
    assert transport.written == b""


def test_a_closed_one_tells_why_and_breaks_off(replica: Replica, listener: Listener, transport: Transport) -> None:
    replica.close("it hangs")
    replica.connection_lost(None)
    assert listener.news == ["joined", "it hangs"]
    assert transport.aborted


def test_one_that_never_joined_never_leaves(listener: Listener) -> None:
    Replica("svm:1/0", "svm:1", listener).close("no connection")
    assert listener.news == []


def test_garbage_ends_the_connection(replica: Replica, listener: Listener, transport: Transport) -> None:
    replica.data_received(b"\xff" * 16)
    assert "garbage" in listener.news[-1]
    assert transport.aborted
