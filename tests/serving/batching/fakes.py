"""What surrounds a deployed model, under the test's control: a clock, a loop, replicas, waiters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from selector.decisions import Prediction
from selector.errors import WindjammerError
from serving.config import ModelConfig
from serving.errors import ModelFailed
from serving.models import Model
from serving.values import Input

KEY = "svm:1"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Loop:
    """Collects what is to be called at the end of the turn."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def call_soon(self, call: Callable[[], None]) -> None:
        """Like an event loop's."""
        self.calls.append(call)

    def turn(self) -> None:
        """End this turn."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class Replica:
    """Takes batches, and answers when it is told to."""

    def __init__(self, name: str = "svm:1/0") -> None:
        self.name = name
        self.sent: list[tuple[int, list[Input]]] = []

    def send(self, batch: int, inputs: Sequence[Input]) -> None:
        """Take a batch."""
        self.sent.append((batch, list(inputs)))

    @property
    def sizes(self) -> list[int]:
        """Rows of each batch sent."""
        return [len(inputs) for _, inputs in self.sent]


class Waiter:
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[Prediction | WindjammerError] = []

    def arrived(self, model: str, prediction: Prediction) -> None:
        """See serving.values.Waiter."""
        self.heard.append(prediction)

    def failed(self, model: str, error: WindjammerError) -> None:
        """See serving.values.Waiter."""
        self.heard.append(error)

    @property
    def outputs(self) -> list[object]:
        """The predictions' outputs, and the messages of errors."""
        return [heard.output if isinstance(heard, Prediction) else str(heard) for heard in self.heard]


def number(value: int, shape: tuple[int, ...] = (1,)) -> Input:
    """An input that holds one number."""
    return Input("INT64", shape, value.to_bytes(8, "little"))


def echo(inputs: Sequence[Input]) -> list[Prediction | ModelFailed]:
    """Each input's own number, as a model's predictions."""
    return [Prediction(int.from_bytes(input.data, "little")) for input in inputs]


class Rig:
    """A deployed model in a still world."""

    def __init__(self, objective: float = 0.030, queue: int = 100, replicas: int = 1, limit: int = 1) -> None:
        self.clock = Clock()
        self.loop = Loop()
        config = ModelConfig(name="svm", runtime="python", queue=queue)
        self.model = Model(config, objective, self.clock, self.loop.call_soon)
        self.replicas = [Replica(f"{KEY}/{i}") for i in range(replicas)]
        for replica in self.replicas:
            self.model.joined(replica)
            while self.model.limits[replica.name] < limit:
                self.grow(replica)

    def ask(self, value: int, timeout: float = 1.0, shape: tuple[int, ...] = (1,)) -> Waiter:
        """Ask in this turn."""
        waiter = Waiter()
        self.model.ask(number(value, shape), self.clock.now + timeout, waiter)
        return waiter

    def answer(self, replica: Replica, seconds: float = 0.001) -> None:
        """The replica's oldest batch is done, `seconds` later."""
        self.clock.now += seconds
        batch, inputs = replica.sent.pop(0)
        self.model.told(replica, batch, echo(inputs))

    def grow(self, replica: Replica) -> None:
        """Let the replica be fast at a full batch, so that the next may be larger."""
        for _ in range(self.model.limits[replica.name]):
            self.ask(0)
        self.loop.turn()
        while replica.sent:
            self.answer(replica)
