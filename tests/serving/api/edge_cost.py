"""What the HTTP edge costs per request, beside a bare httptools protocol: `python -m tests.serving.api.edge_cost`.

In process, without a network: bytes into the protocol, an application that answers at once, and a transport that
drops what it is given. CPU time, best of several rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Callable

import httptools
import uvloop
from uvicorn.config import Config
from uvicorn.server import ServerState

from serving.api.endpoints import endpoints
from serving.api.protocol import ShortCutProtocol, ShortCuts
from serving.inputs import InputSpec
from serving.values import PredictReply, PredictRequest, Reply
from tests.serving.api.fakes import FakeApplication
from tests.serving.api.wire import DEFAULT_HEADERS, Transport, nothing, post

HEADERS = ("user-agent: a client", "accept: */*", "content-type: application/json")
REPLY = PredictReply("123456789012345678", 1, False, 0.5, None, {"svm:1": 1}, "exp3")


class Sink(Transport):
    def write(self, data: bytes) -> None:
        pass


class Constant(FakeApplication):
    def predict(self, request: PredictRequest, reply: Reply) -> None:
        reply(REPLY)


class Bare:
    """The least there can be: the body is gathered, an answer of the same length is written."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""
        self.write = Sink().write

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.body = b""
        self.write(b"HTTP/1.1 200 OK\r\ncontent-length: 120\r\n\r\n" + b"x" * 120)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)


def short_cut(floats: int) -> ShortCutProtocol:
    state = ServerState()
    state.default_headers = DEFAULT_HEADERS
    paths = endpoints(Constant(InputSpec("FP32", (floats,))), 10.0)  # type: ignore[arg-type]
    cuts = ShortCuts({b"/digits/predict": paths["predict"]}, 8 << 20)
    config = Config(nothing, log_config=None, access_log=False, proxy_headers=False)
    protocol = ShortCutProtocol(config, state, {"short_cuts": cuts}, asyncio.get_running_loop())
    protocol.connection_made(Sink())  # type: ignore[arg-type]
    return protocol


def microseconds(receive: Callable[[bytes], None], request: bytes, rounds: int, requests: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(requests):
            receive(request)
        best = min(best, time.process_time() - started)
    return best / requests * 1e6


async def main(rounds: int, requests: int) -> None:
    rng = random.Random(1)
    for floats in (8, 64, 784):
        body = json.dumps({"input": [rng.random() for _ in range(floats)]}).encode()
        request = post("/digits/predict", body, *HEADERS)
        bare = microseconds(Bare().data_received, request, rounds, requests)
        ours = microseconds(short_cut(floats).data_received, request, rounds, requests)
        print(f"{floats:4} floats: bare {bare:6.2f} us, ours {ours:6.2f} us, difference {ours - bare:6.2f} us")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=40)
    options.add_argument("--requests", type=int, default=1000)
    chosen = options.parse_args()
    uvloop.run(main(chosen.rounds, chosen.requests))
