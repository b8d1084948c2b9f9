"""What one predict costs the front end's thread, the network aside: `python -m tests.benchmarks.hot_path`.

Everything is real but both ends: bytes go into the protocol of as many connections as there are queries in a turn of
the loop, a stub in the worker's place answers each batch in frames, and a log without a database takes the
decisions. CPU microseconds a query, the best of many rounds: of the whole, of its edge (HTTP and JSON, with an
application that answers at once), and of the model (queue, frames) under a waiter that does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from feedback_store.contract import Outcome, Pending, Row
from feedback_store.memory import MemoryLog
from feedback_store.spool import Spool
from feedback_store.writer import Writer
from selector.decisions import Prediction
from selector.errors import WindjammerError
from selector.fold import Fold
from selector.policies import Exp3
from serving.api.endpoints import endpoints
from serving.api.protocol import ShortCutProtocol, ShortCuts
from serving.application import Application
from serving.config import ApplicationConfig, ModelConfig
from serving.deadlines import Deadlines
from serving.hooks import Hooks
from serving.inputs import InputSpec
from serving.knowledge import Knowledge
from serving.models import Model
from serving.query_ids import QueryIds
from serving.surroundings import Surroundings
from serving.values import Input, PredictReply, PredictRequest, Reply
from serving.workers import frames
from serving.workers.frames import Ask, Decoder, Labels
from serving.workers.replica import Replica
from tests.serving.api.wire import DEFAULT_HEADERS, Transport, nothing, post

HEADERS = ("user-agent: a client", "accept: */*", "content-type: application/json")
REPLY = PredictReply("123456789012345678", 1.5, False, None, None, {"sum:1": 1.5}, "exp3")


class NoLog(MemoryLog):
    """Forgets decisions."""

    def commit(self, rows: Sequence[Row], pending: Sequence[Pending]) -> list[Outcome]:
        """Keep the events alone."""
        return super().commit((), pending)


class Sink(Transport):
    """A client that reads everything and counts the answers."""

    answers = 0

    def write(self, data: bytes) -> None:
        """Take one answer."""
        assert data.startswith(b"HTTP/1.1 200"), data
        Sink.answers += 1


class Worker:
    """The other end of a replica's connection: answers batches, when told to, with as many labels. A transport."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._decoder = Decoder()

    def get_extra_info(self, _name: str) -> Worker:
        """Stands in for the socket, too."""
        return self

    def setsockopt(self, *_option: int) -> None:
        """There is no buffer."""

    def write(self, data: bytes) -> None:
        """Take a frame."""
        self.asked.append(data)

    def answers(self) -> list[bytes]:
        """What is to be answered now."""
        asked, self.asked = self.asked, []
        headers = [header for data in asked for header, _ in self._decoder.feed(data)]
        return [frames.encode(Labels(h.batch, [1.5] * h.rows)) for h in headers if isinstance(h, Ask)]


class Constant:
    """An application that answers at once."""

    def __init__(self, config: ApplicationConfig) -> None:
        self.config = config
        self.observe = self.update = self.predict

    def predict(self, _request: PredictRequest, reply: Reply) -> None:
        """Answer."""
        reply(REPLY)


class Waiter:
    """Does nothing."""

    def arrived(self, model: str, prediction: Prediction) -> None:
        """Do nothing."""

    def failed(self, model: str, error: WindjammerError) -> None:
        """No failure is expected here."""
        raise error


class Rig:
    """One application in front of one model, and the time that the worker's stub took, which is no part of the cost."""

    def __init__(self, folder: Path, floats: int, cache: int) -> None:
        loop = asyncio.get_running_loop()
        self.soon: list[Callable[[], None]] = []
        self.worker = Worker()
        self.elsewhere = 0.0
        self.config = ApplicationConfig(
            name="sum",
            models=("sum:1",),
            input=InputSpec("FP32", (-1,)),
            task="regression",
            policy=Exp3(),
            slo=1.0,
            cache_bytes=cache,
        )
        self.model = Model(ModelConfig(name="sum", runtime="python"), 1.0, time.monotonic, self.soon.append)
        self.replica = Replica("sum:1/0", "sum:1", self.model)
        self.replica.connection_made(cast("asyncio.Transport", self.worker))
        self.writer = Writer(NoLog(), Spool(folder), loop.call_soon_threadsafe)
        hooks = Hooks()
        knowledge = Knowledge("sum", Fold(policy=Exp3(), loss=self.config.loss), hooks, self.writer, "fold")
        knowledge.population.state = Exp3().initial_state(("sum:1",))
        around = Surroundings(
            self.writer,
            QueryIds(time.time),
            Deadlines(time.monotonic, loop.call_later),
            time.time,
            time.monotonic,
            random.Random(1),
            10.0,
        )
        self.application = Application(self.config, {"sum:1": self.model}, knowledge, hooks, around)
        self.input = Input("FP32", (floats,), bytes(4 * floats))

    def settle(self) -> None:
        """The rest of a turn of the loop, and the turns until all is answered."""
        while self.soon or self.worker.asked:
            calls = self.soon[:]
            self.soon.clear()
            for call in calls:
                call()
            start = time.thread_time()
            answers = self.worker.answers()
            self.elsewhere += time.thread_time() - start
            for answer in answers:
                self.replica.data_received(answer)

    def ask(self, _request: bytes) -> None:
        """A query without HTTP, application or log."""
        self.model.ask(self.input, time.monotonic() + 1.0, Waiter())


def connections(application: Any, count: int) -> list[Callable[[bytes], None]]:
    """Where `count` clients' bytes go."""
    state = ServerState()
    state.default_headers = DEFAULT_HEADERS
    cuts = ShortCuts({b"/sum/predict": endpoints(application, 10.0)["predict"]}, 8 << 20)
    config = Config(nothing, log_config=None, access_log=False, proxy_headers=False)
    protocols = [
        ShortCutProtocol(config, state, {"short_cuts": cuts}, asyncio.get_running_loop()) for _ in range(count)
    ]
    for protocol in protocols:
        protocol.connection_made(Sink())  # type: ignore[arg-type]
    return [protocol.data_received for protocol in protocols]


def microseconds(
    rig: Rig, receivers: Sequence[Callable[[bytes], None]], requests: Sequence[bytes], rounds: int
) -> float:
    """CPU of this thread for a query, in the best round: every request once, one to a receiver in each turn."""
    best = float("inf")
    for _ in range(rounds):
        rig.elsewhere = 0.0
        start = time.thread_time()
        for first in range(0, len(requests), len(receivers)):
            for receive, request in zip(receivers, requests[first:], strict=False):
                receive(request)
            rig.settle()
        best = min(best, time.thread_time() - start - rig.elsewhere)
    return best / len(requests) * 1e6


async def measure(folder: Path, floats: int, options: argparse.Namespace) -> None:
    """Print a line."""
    rng, turn = random.Random(1), options.turn
    bodies = [json.dumps({"input": [round(rng.random(), 6) for _ in range(floats)]}) for _ in range(16 * turn)]
    requests = [post("/sum/predict", body.encode(), *HEADERS) for body in bodies]
    rig = Rig(folder, floats, options.cache)
    edge = microseconds(rig, connections(Constant(rig.config), turn), requests, options.rounds)
    model = microseconds(rig, [rig.ask] * turn, requests, options.rounds)
    whole = microseconds(rig, connections(rig.application, turn), requests, options.rounds)
    await asyncio.to_thread(rig.writer.close)
    print(f"{floats:4} floats, {turn:3} a turn: whole {whole:6.2f} us, edge {edge:6.2f} us, model {model:6.2f} us")


def main() -> None:
    """Measure short and long inputs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turn", type=int, default=32, help="queries in a turn of the loop (default: 32)")
    parser.add_argument("--rounds", type=int, default=100, help="rounds, of 16 turns each (default: 100)")
    parser.add_argument("--cache", type=int, default=0, help="bytes of the cache of predictions (default: none)")
    options = parser.parse_args()
    for floats in (8, 784):
        with TemporaryDirectory() as folder:
            asyncio.run(measure(Path(folder), floats, options))


if __name__ == "__main__":
    main()
