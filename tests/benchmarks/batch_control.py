"""AIMD and the door under twice the load that a model can take, on measured latency profiles, in simulated time.

`python tests/benchmarks/batch_control.py PROFILE.csv [SLO_MS]`; PROFILE has columns container, batch_size and
latency_us. Each container is one replica with Poisson arrivals. A batch takes what one of the 15 measured batches
nearest in size took, in proportion beyond the largest measured, and .1 ms each way. "best" is the largest
size whose median latency meets the objective of a batch, "best/s" the queries a second that it gives.
"""

from __future__ import annotations

import csv
import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from statistics import fmean, median

from selector.decisions import Prediction
from selector.errors import WindjammerError
from serving.batching.flights import AHEAD
from serving.config import ModelConfig
from serving.models import Model
from serving.values import Input

NEAREST = 15
TICK = 0.0005
WIRE = 0.0001
SECONDS = 20.0
WARM = 10.0
INPUT = Input("FP32", (1,), bytes(4))


class Profile:
    """Measured (batch size, seconds) of one container."""

    def __init__(self, samples: list[tuple[int, float]]) -> None:
        self.samples = sorted(samples)
        self.sizes = [size for size, _ in self.samples]

    def near(self, size: int) -> list[float]:
        """Seconds of the batches nearest in size."""
        middle = bisect_left(self.sizes, size)
        first = max(0, min(middle - NEAREST // 2, len(self.samples) - NEAREST))
        scale = max(1.0, size / self.sizes[-1])
        return [seconds * scale for _, seconds in self.samples[first : first + NEAREST]]

    def best(self, objective: float) -> tuple[int, float]:
        """The largest size that meets the objective in the median, and its rows a second."""
        meeting = [size for size in range(1, self.sizes[-1] + 1) if median(self.near(size)) <= objective]
        size = max(meeting, default=1)
        return size, size / median(self.near(size))


class World:
    """Simulated time: what is to happen, in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def clock(self) -> float:
        """The time."""
        return self.now

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Have something happen."""
        self._count += 1
        heappush(self._events, (when, self._count, call))

    def soon(self, call: Callable[[], None]) -> None:
        """Have something happen at the end of this turn."""
        self.at(self.now, call)

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= until:
            self.now, _, call = heappop(self._events)
            call()


class Replica:
    """Serves one batch after the other, as long as the profile says."""

    name = "simulated:1/0"

    def __init__(self, world: World, profile: Profile, rng: Random) -> None:
        self.model: Model
        self.served: list[tuple[int, float]] = []
        self._world = world
        self._profile = profile
        self._rng = rng
        self._free = 0.0

    def send(self, batch: int, inputs: Sequence[Input]) -> None:
        """Take a batch."""
        seconds = self._rng.choice(self._profile.near(len(inputs)))
        self._free = max(self._world.now + WIRE, self._free) + seconds
        if self._world.now > WARM:
            self.served.append((len(inputs), seconds))
        self._world.at(self._free + WIRE, lambda: self.model.told(self, batch, [Prediction(1)] * len(inputs)))


class Waiter:
    """Writes down how long a query took, after the warm-up."""

    __slots__ = ("asked", "latencies", "world")

    def __init__(self, world: World, latencies: list[float]) -> None:
        self.world = world
        self.asked = world.now
        self.latencies = latencies

    def arrived(self, model: str, prediction: Prediction) -> None:
        """Answered, in time or not."""
        if self.asked > WARM:
            self.latencies.append(self.world.now - self.asked)

    def failed(self, model: str, error: WindjammerError) -> None:
        """Refused or expired: the model counts it."""


def simulate(profile: Profile, slo: float, load: float) -> tuple[Replica, Model, list[float]]:
    """One container under `load` queries a second."""
    world, rng = World(), Random(1)
    replica = Replica(world, profile, rng)
    model = Model(ModelConfig(name="simulated", runtime="python"), slo, world.clock, world.soon)
    replica.model = model
    latencies: list[float] = []
    model.joined(replica)

    def arrive() -> None:
        mean = load * TICK
        for _ in range(max(0, round(rng.gauss(mean, mean**0.5))) if mean > 20 else _poisson(rng, mean)):
            model.ask(INPUT, world.now + slo, Waiter(world, latencies))
        world.at(world.now + TICK, arrive)

    world.soon(arrive)
    world.run(SECONDS)
    return replica, model, latencies


def _poisson(rng: Random, mean: float) -> int:
    count, passed = 0, rng.expovariate(1.0)
    while passed < mean:
        count, passed = count + 1, passed + rng.expovariate(1.0)
    return count


def report(container: str, profile: Profile, slo: float) -> str:
    """One line of the table."""
    objective = slo * (1 - AHEAD) / 2
    best, capacity = profile.best(objective)
    replica, model, latencies = simulate(profile, slo, 2 * capacity)
    sizes = fmean([size for size, _ in replica.served])
    slow = fmean([seconds > objective for _, seconds in replica.served])
    ordered = sorted(latencies)
    in_time = sum(latency <= slo for latency in latencies) / (SECONDS - WARM)
    p50, p99 = (ordered[int(share * len(ordered))] * 1e3 for share in (0.5, 0.99))
    return (
        f"{container:13}{best:6}{sizes:8.1f}{slow:8.1%}{capacity:9.0f}{len(latencies) / (SECONDS - WARM):9.0f}"
        f"{in_time:9.0f}{p50:8.1f}{p99:8.1f}{model.counters.refused:9}{model.counters.expired:9}"
    )


def main(path: Path, slo: float) -> None:
    """Print the table."""
    samples: dict[str, list[tuple[int, float]]] = defaultdict(list)
    with path.open() as file:
        for row in csv.DictReader(file):
            samples[row["container"]].append((int(row["batch_size"]), int(row["latency_us"]) / 1e6))
    print(f"objective {slo * 1e3:g} ms, of a batch {slo * (1 - AHEAD) / 2 * 1e3:.2f} ms, twice the capacity offered")
    print("container      best    mean   slower  best/s answers/s in time  p50 ms  p99 ms  refused  expired")
    for container in sorted(samples):
        print(report(container, Profile(samples[container]), slo), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) / 1e3 if len(sys.argv) > 2 else 0.020)
