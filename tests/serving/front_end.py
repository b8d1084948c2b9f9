"""An application with everything real but its models, driven without an event loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from random import Random
from struct import pack
from typing import Any, cast

from feedback_store.contract import Applied, Log, Pending
from feedback_store.memory import MemoryLog
from feedback_store.spool import Spool
from feedback_store.writer import Writer
from selector.decisions import Label, ModelsChanged, Prediction
from selector.errors import WindjammerError
from selector.policies import Exp4
from selector.policy import Policy
from serving.application import Application
from serving.config import ApplicationConfig
from serving.deadlines import Deadlines
from serving.hooks import Hooks
from serving.inputs import InputSpec
from serving.knowledge import Knowledge
from serving.models import Model
from serving.query_ids import QueryIds
from serving.surroundings import Surroundings
from serving.values import Input, ObserveReply, ObserveRequest, PredictReply, PredictRequest, UpdateRequest, Waiter
from tests.serving.test_deadlines import Loop

PATIENCE = 10.0
"""Seconds that a test waits for the writer's thread."""


class ScriptedModel:
    """Answers what it is told to, at once; or keeps its waiters until `release`."""

    def __init__(self, says: Label | Prediction | WindjammerError | None) -> None:
        self.says = says
        self.available = True
        self.waiting: list[Waiter] = []
        self.asked = 0
        self.key = ""
        self.version, self.cost, self.latency = "1", 1.0, 0.0
        self.takes = 0.0
        self.clock: Callable[[], float] = lambda: 0.0

    def answer_at(self) -> float:
        return self.clock() + self.takes

    def ask(self, asked: Input, deadline: float, waiter: Waiter) -> None:
        self.asked += 1
        self.waiting.append(waiter)
        if self.says is not None:
            self.release(self.says)

    def watch(self, changed: Callable[[str], None]) -> None:
        """It never loses a replica."""

    def release(self, says: Label | Prediction | WindjammerError) -> None:
        waiting, self.waiting = self.waiting, []
        for waiter in waiting:
            if isinstance(says, WindjammerError):
                waiter.failed(self.key, says)
            else:
                waiter.arrived(self.key, says if isinstance(says, Prediction) else Prediction(says))


class FrontEnd:
    """One application over scripted models, a real writer, and a clock that is moved by hand."""

    def __init__(
        self,
        folder: Path,
        models: dict[str, Label | Prediction | WindjammerError | None],
        policy: Policy[Any] | None = None,
        log: Log | None = None,
        **settings: Any,
    ) -> None:
        self.loop = Loop()
        self.posted: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.log = log or MemoryLog()
        self.models = {key: ScriptedModel(says) for key, says in models.items()}
        for key, model in self.models.items():
            model.key = key
            model.clock = lambda: self.loop.now
        self.writer = Writer(self.log, Spool(folder), self.posted.put, linger=0.0)
        config = ApplicationConfig(
            name="app",
            models=tuple(sorted(models)),
            policy=policy or Exp4(),
            **{"input": InputSpec("FP32", (2,)), "cache_bytes": 0, **settings},
        )
        hooks = Hooks(config.user, config.features, config.blend)
        knowledge = Knowledge("app", config.fold, hooks, self.writer, "fold")
        around = Surroundings(
            self.writer,
            QueryIds(lambda: 2e9 + self.loop.now),
            Deadlines(lambda: self.loop.now, self.loop.call_later),
            lambda: 2e9 + self.loop.now,
            lambda: self.loop.now,
            Random(1),
            10.0,
        )
        self.app = Application(config, cast("dict[str, Model]", self.models), knowledge, hooks, around)
        self._introduce(config.models)

    def predict(self, **fields: Any) -> list[Any]:
        """Begin a query; what it is answered appears in the list."""
        replies: list[Any] = []
        self.app.predict(PredictRequest(**{"input": vector(1.0, 2.0), **fields}), replies.append)
        return replies

    def answer(self, **fields: Any) -> PredictReply:
        """A query that is answered at once."""
        (reply,) = self.predict(**fields)
        assert isinstance(reply, PredictReply), reply
        return reply

    def observe(self, *queries: int | str, label: Label | None = None, reward: float | None = None) -> Any:
        """Feedback, and what it is answered."""
        ids = tuple(int(query) if str(query).isdigit() else query for query in queries)
        return self._settled(lambda reply: self.app.observe(ObserveRequest(ids, label, reward), reply))

    def teach(self, label: Label, times: int) -> None:
        """Answer so many queries, and tell of each that this was right."""
        for _ in range(times):
            assert self.observe(self.answer().query_id, label=label) == ObserveReply("applied")

    def update(self, label: Label, **fields: Any) -> Any:
        """A labelled input, and what it is answered."""
        request = UpdateRequest(**{"input": vector(1.0, 2.0), "label": label, **fields})
        return self._settled(lambda reply: self.app.update(request, reply))

    def turn(self) -> None:
        """Run the next function that the writer has posted."""
        self.posted.get(timeout=PATIENCE)()

    def close(self) -> None:
        """Write what waits."""
        assert self.writer.close()

    def _introduce(self, models: Sequence[str]) -> None:
        pending = Pending("app", None, 0.0, ModelsChanged(tuple(models)))
        outcomes: list[Any] = []
        if self.log.head() == 0:
            self.writer.append(pending, outcomes.append)
            while not outcomes:
                self.turn()
            assert isinstance(outcomes[0], Applied)
            self.app.knowledge.fold(outcomes[0].entry)
        else:
            self.app.knowledge.recover(self.log)

    def _settled(self, call: Callable[[Callable[[Any], None]], None]) -> ObserveReply | Exception:
        replies: list[Any] = []
        call(replies.append)
        while not replies:
            self.turn()
        (reply,) = replies
        return cast("ObserveReply | Exception", reply)


def vector(*values: float) -> Input:
    """An FP32 input."""
    return Input("FP32", (len(values),), pack(f"<{len(values)}f", *values))
