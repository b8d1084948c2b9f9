"""Concurrent users: each asks, waits for the answer, tells the truth, and asks the next question."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec import Struct

from serving.demo.connection import Connection, Response
from serving.demo.digits import Digits, Question, question
from serving.demo.outcomes import Journal, Outcome

REPEATS = 5
"""Times that a request is sent again before its user gives up."""


class Reply(Struct, frozen=True):
    """What the users read of an answer to predict."""

    query_id: str
    output: int
    default: bool
    sure: bool | None
    models: dict[str, int]
    costs: dict[str, float] = {}


class Told(Struct, frozen=True):
    """What the users read of an answer to observe."""

    status: str


class Exchange(Struct, frozen=True):
    """An answer: its body (None if it is a refusal), the seconds it took, and how often it had to be sent again."""

    body: bytes | None
    seconds: float
    repeats: int


read_reply = msgspec.json.Decoder(Reply).decode
read_told = msgspec.json.Decoder(Told).decode


class Users:
    """`count` users of the applications at 127.0.0.1:`port`, in a closed loop, on the held-out digits.

    Question i goes to application i modulo their number. Everything that is acknowledged is entered in
    `journal`, and `entered` is called. `server_up` is to be cleared before the server is taken down:
    users whose connection breaks wait for it, and send again what had no answer.
    """

    def __init__(
        self,
        port: int,
        applications: Sequence[str],
        held_out: Digits,
        seed: int,
        count: int,
        entered: Callable[[], None],
    ) -> None:
        self.journal = Journal()
        self.server_up = asyncio.Event()
        self.server_up.set()
        self._port = port
        self._applications = applications
        self._held_out = held_out
        self._seed = seed
        self._count = count
        self._entered = entered

    async def ask(self, stage: str, questions: range) -> None:
        """Have all these answered and observed. Raises ConnectionError or TimeoutError if the server fails."""
        indices = iter(questions)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._count):
                    group.create_task(self._one_user(stage, indices))
        except ExceptionGroup as errors:
            failures, others = errors.split((ConnectionError, TimeoutError))
            if failures is None or others is not None:
                raise
            raise failures.exceptions[0] from errors

    async def _one_user(self, stage: str, indices: Iterator[int]) -> None:
        async with Connection(self._port) as connection:
            for index in indices:
                application = self._applications[index % len(self._applications)]
                await self._one_question(connection, stage, application, question(self._held_out, self._seed, index))
                self._entered()

    async def _one_question(self, connection: Connection, stage: str, application: str, asked: Question) -> None:
        body = msgspec.json.encode({"input": asked.pixels.tolist()})
        predict = await self._insist(connection, f"/{application}/predict", body)
        if predict.body is None:
            return
        reply = read_reply(predict.body)
        body = msgspec.json.encode({"query_id": reply.query_id, "label": asked.label})
        observe = await self._insist(connection, f"/{application}/observe", body)
        if observe.body is None:
            return
        self.journal.outcomes.append(
            Outcome(
                application,
                stage,
                asked.label,
                reply.query_id,
                reply.output,
                reply.default,
                reply.sure,
                reply.models,
                predict.seconds,
                predict.repeats + observe.repeats,
                read_told(observe.body).status == "duplicate",
                reply.costs,
            )
        )

    async def _insist(self, connection: Connection, path: str, body: bytes) -> Exchange:
        """Post until there is an answer, over new connections where old ones break."""
        for repeats in range(REPEATS + 1):
            started = time.perf_counter()
            try:
                response = await connection.post(path, body)
            except ConnectionError:
                await self.server_up.wait()
                continue
            return Exchange(self._accepted(path, response), time.perf_counter() - started, repeats)
        raise ConnectionError(f"the server on port {self._port} does not answer {path}")

    def _accepted(self, path: str, response: Response) -> bytes | None:
        if response.status == 200:
            return response.body
        self.journal.refusals.append(f"{path} {response.status}: {response.body.decode(errors='replace')[:200]}")
        return None
