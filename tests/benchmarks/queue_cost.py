"""What a query costs between the application and the worker's connection: `python tests/benchmarks/queue_cost.py`.

A model with one replica that does nothing, and waiters that do nothing; CPU microseconds for each query.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from selector.decisions import Prediction
from selector.errors import WindjammerError
from serving.cache import Cache
from serving.config import ModelConfig
from serving.models import Model
from serving.values import Input

QUERIES = 1 << 17
PREDICTION = Prediction(1)


class Replica:
    """Remembers what was sent."""

    name = "noop:1/0"

    def __init__(self) -> None:
        self.sent: list[tuple[int, int]] = []

    def send(self, batch: int, inputs: Sequence[Input]) -> None:
        """Take a batch."""
        self.sent.append((batch, len(inputs)))


class Waiter:
    """Does nothing."""

    def arrived(self, model: str, prediction: Prediction) -> None:
        """Do nothing."""

    def failed(self, model: str, error: WindjammerError) -> None:
        """No failure is expected here."""
        raise error


class Rig:
    """A model, its replica, and the calls that wait for the end of the turn."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.replica = Replica()
        self.model = Model(
            ModelConfig(name="noop", runtime="python"), 1.0, time.monotonic, lambda call: self.soon.append(call)
        )
        self.model.joined(self.replica)
        for _ in range(64):  # the controller grows past the batches measured
            self.turn([Input("FP32", (8,), b"")] * self.model.limits["noop:1/0"], Waiter())

    def turn(self, inputs: Sequence[Input], waiter: Waiter, cache: Cache | None = None) -> None:
        """All inputs are asked in one turn of the loop, and answered."""
        deadline = time.monotonic() + 1.0
        if cache is None:
            for input in inputs:
                self.model.ask(input, deadline, waiter)
        else:
            for input in inputs:
                cache.ask(self.model, input, deadline, waiter)
        for call in self.soon:
            call()
        self.soon.clear()
        while self.replica.sent:
            batch, rows = self.replica.sent.pop()
            self.model.told(self.replica, batch, [PREDICTION] * rows)


def cost(size: int, inputs: Sequence[Input], cache: Cache | None = None) -> float:
    """Microseconds for each of `inputs`, asked `size` at a time; the best of three runs."""
    rig, waiter = Rig(), Waiter()
    runs = []
    for _ in range(3):
        started = time.process_time()
        for first in range(0, len(inputs), size):
            rig.turn(inputs[first : first + size], waiter, cache)
        runs.append((time.process_time() - started) / len(inputs) * 1e6)
    return min(runs)


def main() -> None:
    """Print the table."""
    for floats in (8, 784):
        same = [Input("FP32", (floats,), bytes(4 * floats))] * QUERIES
        print(f"{floats} floats, microseconds a query:")
        for size in (1, 8, 32, 128):
            print(f"  ask + take + deliver, {size:3} in a batch: {cost(size, same):5.2f}")
        known = Cache(1 << 26, 1e9, time.monotonic)
        print(f"  cache hit                            : {cost(32, same, known):5.2f}")
        count = QUERIES if floats == 8 else QUERIES // 8
        distinct = [Input("FP32", (floats,), number.to_bytes(4 * floats, "little")) for number in range(count)]
        full = Cache(1 << 22, 1e9, time.monotonic)
        print(f"  cache miss, cache full,  32 in a batch: {cost(32, distinct, full):5.2f}")


if __name__ == "__main__":
    main()
