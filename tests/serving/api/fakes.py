"""An application that answers from the input alone, at once or when it is told to, and the service around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
from prometheus_client import CollectorRegistry, Counter

from selector.policies import Exp3
from serving.config import ApplicationConfig, Config, ModelConfig, ServerConfig, StoreConfig
from serving.errors import ConflictingFeedback, DeadlineExceeded, Overloaded, UnknownQueryId
from serving.inputs import InputSpec
from serving.values import (
    Input,
    ObserveReply,
    ObserveRequest,
    PredictReply,
    PredictRequest,
    Reply,
    UpdateRequest,
)

ERRORS = {504: DeadlineExceeded("too late"), 503: Overloaded("too much"), 500: RuntimeError("secret")}
"""What the first number of an input brings about."""

MODELS = ("cnn:2", "svm:1")


class FakeApplication:
    """`hold` keeps answers back until `release`; ids count from 1; a query is known if it was predicted."""

    def __init__(self, spec: InputSpec | None = None, *, hold: bool = False) -> None:
        self.name = "digits"
        self.config = ApplicationConfig(
            name="digits", models=MODELS, input=spec or InputSpec("FP32", (2,)), policy=Exp3()
        )
        self.health = SimpleNamespace(state=lambda model: "healthy")
        self.hold = hold
        self.held: list[Callable[[], None]] = []
        self.requests: list[Any] = []
        self.queries: dict[int | str, object] = {}

    def release(self, index: int = 0) -> None:
        self.held.pop(index)()

    def predict(self, request: PredictRequest, reply: Reply) -> None:
        self.requests.append(request)
        query = request.client_id or len(self.requests)
        self.queries[query] = None
        self._tell(reply, self._answer(request, str(query)))

    def observe(self, request: ObserveRequest, reply: Reply) -> None:
        self.requests.append(request)
        truth = (request.label, request.reward)
        for query in request.queries:
            if query not in self.queries:
                self._tell(reply, UnknownQueryId(f"no decision {query}"))
                return
        known = self.queries[request.queries[0]]
        if known is not None and known != truth:
            self._tell(reply, ConflictingFeedback("other feedback"))
            return
        self.queries.update(dict.fromkeys(request.queries, truth))
        self._tell(reply, ObserveReply("applied" if known is None else "duplicate"))

    def update(self, request: UpdateRequest, reply: Reply) -> None:
        self.requests.append(request)
        self._tell(reply, ObserveReply("applied", request.client_id or "77"))

    def state(self) -> dict[str, Any]:
        return {"models": {model: {"weight": 1.0} for model in MODELS}}

    def state_of(self, user: str, done: Callable[[dict[str, Any]], None]) -> None:
        done({**self.state(), "user": user})

    def _answer(self, request: PredictRequest, query: str) -> PredictReply | Exception:
        first = _first(request.input)
        if first in ERRORS:
            return ERRORS[int(first)]
        return PredictReply(query, first, False, 0.5, None, dict.fromkeys(MODELS, first), "exp3")

    def _tell(self, reply: Reply, outcome: PredictReply | ObserveReply | Exception) -> None:
        if self.hold:
            self.held.append(lambda: reply(outcome))
        else:
            reply(outcome)


class FakeService:
    """As much of a service as the HTTP interface sees. With `delay`, answers come that many seconds later."""

    def __init__(self, application: FakeApplication, *, body_limit: int = 8 << 20, max_timeout: float = 10.0) -> None:
        models = {key: _model(key) for key in MODELS}
        self.config = Config(
            server=ServerConfig(body_limit=body_limit, max_timeout=max_timeout),
            store=StoreConfig(),
            models=models,
            applications={"digits": application.config},
            folder=Path("/"),
        )
        self.applications = {"digits": application}
        self.models = {
            key: SimpleNamespace(counters=_counters(), available=True, waiting=0, limits={}) for key in MODELS
        }
        self.registry = CollectorRegistry()
        Counter("windjammer_things", "Things.", registry=self.registry).inc(3)
        self.ready = False
        self.story: list[str] = []

    async def start(self) -> None:
        self.ready = True
        self.story.append("start")

    async def stop(self) -> None:
        self.ready = False
        self.story.append("stop")


def _model(key: str) -> ModelConfig:
    name, version = key.split(":")
    return ModelConfig(name=name, version=version, runtime="python", artifact="models:Any")


def _counters() -> SimpleNamespace:
    names = ("batches", "queries", "refused", "expired", "failed", "retried")
    return SimpleNamespace(seconds=0.0, **dict.fromkeys(names, 0))


def _first(asked: Input) -> Any:
    """The first number of an input, a text, or whatever JSON it was."""
    if asked.datatype == "BYTES":
        return asked.data.decode()
    if asked.datatype == "JSON":
        return str(msgspec.msgpack.decode(asked.data))
    return float(np.frombuffer(asked.data, "<f4")[0])


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)
