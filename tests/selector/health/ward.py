"""Made-up models, watched: what a front end would see of them, and a fold of what the monitor proposes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from selector.decisions import (
    Answer,
    Decision,
    Entry,
    Event,
    Feedback,
    HealthChanged,
    HealthState,
    Label,
    ModelsChanged,
    Prediction,
    Query,
)
from selector.health import Monitor, quarantined
from selector.losses import Absolute, ZeroOne
from selector.policies import Static
from selector.policy import Task
from selector.population import Population

Says = Callable[[int, Random], Prediction]
"""What a model says where this is the truth."""

CLASSES = 10
SHARE = 0.05


def errs(rate: float, score: float | None = None) -> Says:
    """Right but for a share `rate` of its answers, which are any other class."""

    def say(truth: int, rng: Random) -> Prediction:
        wrong = rng.random() < rate
        return Prediction((truth + rng.randrange(1, CLASSES)) % CLASSES if wrong else truth, score=score)

    return say


def constant(output: Label) -> Says:
    """Always the same."""
    return lambda truth, rng: Prediction(output)


def absent(truth: int, rng: Random) -> Prediction:
    """No answer at all: `Ward.ask` counts it as failed."""
    raise TimeoutError


class Ward:
    """Models by name, each with what it says; labels come `delay` queries late.

    `alone` has the truths that one model settles without the others, by that model: a cascade asks it alone.
    `changes` has every change so far, with the query that brought it.
    """

    def __init__(self, seed: int, models: dict[str, Says], task: Task = "classification") -> None:
        self.models = models
        self.rng = Random(seed)
        loss = ZeroOne() if task == "classification" else Absolute(scale=3.0)
        self.monitor = Monitor(models, loss, task, SHARE)
        self.learner = Population(Static(model=min(models), task=task), loss)
        self.queries = 0
        self.delay = 0
        self.alone: dict[int, str] = {}
        self._labels: deque[tuple[Decision, Feedback]] = deque()
        self.changes: list[tuple[int, HealthChanged]] = []
        self._fold(ModelsChanged(tuple(sorted(models))))

    def run(self, queries: int, *, labels: bool = False, votes: bool = True, truths: Sequence[int] = ()) -> Ward:
        """Ask those that are not in quarantine, probe the others, give feedback if there are labels."""
        for _ in range(queries):
            self.queries += 1
            self._ask(self.rng.choice(truths or range(CLASSES)), labels, votes)
        return self

    def state(self, model: str) -> HealthState:
        return self.monitor.state(model)

    def became(self, model: str, state: HealthState, after: int = 0) -> int:
        """The queries from `after` until the model was in that state, more than ever were if it was not."""
        found = (at for at, change in self.changes if (change.model, change.state) == (model, state) and at > after)
        return next(found, 10**9) - after

    @property
    def resting(self) -> frozenset[str]:
        return quarantined(self.learner.health)

    def _ask(self, truth: int, labels: bool, votes: bool) -> None:
        resting = self.resting
        asked = set(self.models) - resting
        said, failed = self._said(sorted(asked & {self.alone.get(truth)} or asked), truth)
        probed = [model for model, _ in self.monitor.probes(sorted(resting), self.rng)]
        joined, missed = self._said(probed, truth)
        changes = list(self.monitor.answered(self.queries, said, failed)) if votes else []
        for model in probed:
            if votes or model in missed:
                changes += self.monitor.told(model, joined.get(model), said)
        if labels:
            changes += self._label(truth, said, joined)
        for change in changes:
            self.changes.append((self.queries, change))
            self._fold(change)
        if changes:
            self.monitor.resume(self.learner.health)

    def _said(self, models: Sequence[str], truth: int) -> tuple[dict[str, Prediction], list[str]]:
        """What these models say, and which of them do not answer."""
        said, failed = {}, []
        for model in models:
            try:
                said[model] = self.models[model](truth, self.rng)
            except TimeoutError:
                failed.append(model)
        return said, failed

    def _label(self, truth: int, said: dict[str, Prediction], joined: dict[str, Prediction]) -> list[HealthChanged]:
        query = Query(self.queries, tuple(sorted(said)))
        decision = Decision("", query, float(self.queries), "", (), said, Answer(None))
        self._labels.append((decision, Feedback((self.queries,), truth, None, joined)))
        return self.monitor.learned(*self._labels.popleft()) if len(self._labels) > self.delay else []

    def _fold(self, event: Event) -> None:
        self.learner.fold(Entry(self.learner.position + 1, "", None, float(self.queries), event))
