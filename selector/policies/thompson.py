"""Thompson sampling with Beta posteriors, drawn from a table of each model's probability of being the best."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import Annotated, ClassVar

from msgspec import Meta, field

from selector.decisions import Decision, Query
from selector.drift import FALSE_ALARMS, Watch
from selector.policies.best_arm import chances_of_best
from selector.policies.memory import Memory, Remembering
from selector.policies.tally import Tally
from selector.policy import LearnsFrom, Losses

_MOST = 0.25  # the greatest share of a model that may have recovered
_NOISE = 1e-6  # where less of the table than this is left to choose from, its entries say nothing about each other


class Posterior(Memory, array_like=True):
    """Feedback so far, the table P(best) computed from it, and how many feedbacks have come since."""

    table: list[float] = field(default_factory=list)
    since: int = 0


class Thompson(Remembering[Posterior], frozen=True, kw_only=True, tag="thompson"):
    """Asks each model as often as it is likely to be the best, its success rate being Beta(1 + rewards, 1 + losses).

    Drawing a rate for each model and asking the greatest is the same as drawing a model from P(best), so the
    probability is exact, whatever the table's age: it is computed anew after max(1, n / 100) feedbacks, and at a
    restart. Among a part of the models it is P(best) given that the best is one of them.

    A model that is not asked cannot show that it has recovered. So the share `probing` of all queries goes to
    models whose loss rose when it last changed, and `exploration` to all, evenly: a model that has
    not been scored for half the feedbacks between two of its turns gets twice its part, others nothing. A failed
    model's part grows with the evidence that it has recovered. Shadow queries make all of this needless: their
    share is subtracted.

    The published rule is `unasked = false, restart = "none", exploration = 0, probing = 0`.

    Thompson 1933; Chapelle & Li: An empirical evaluation of Thompson sampling (NIPS 2011), algorithm 2.
    With `discount`: Raj & Kalyani: Taming non-stationary bandits (2017); with `window`: Trovo et al.: Sliding-window
    Thompson sampling (JAIR 2020); with `restart`: Mellor & Shapiro: Thompson sampling in switching environments
    with Bayesian online change detection (AISTATS 2013).

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = Thompson()
    >>> state = policy.initial_state(["cnn", "svm"])
    >>> selection = policy.select(state, Query(id=1, available=("cnn", "svm")), [], {}, Random(1))
    >>> selection.models, round(selection.probability, 9)
    (('cnn',), 0.5)
    """

    state_type: ClassVar[type] = Posterior
    learns_from: ClassVar[LearnsFrom] = "labels"

    exploration: Annotated[float, Meta(ge=0, lt=0.5)] = 0.005
    probing: Annotated[float, Meta(ge=0, lt=0.5)] = 0.005

    def made(self, memory: Memory) -> Posterior:
        return Posterior(memory.tally, memory.courses, memory.clock, memory.spared, memory.latest, _table(memory.tally))

    def chances(self, state: Posterior, query: Query) -> Sequence[float]:
        table = self._of(state, query.available)
        floors = self._floors(state, query.available)
        rest, total = 1.0 - sum(floors), sum(table)
        return [floor + rest * chance / total for floor, chance in zip(floors, table, strict=True)]

    def _of(self, state: Posterior, available: tuple[str, ...]) -> Sequence[float]:
        models = state.tally.models
        if available == models:
            return state.table
        if not set(available) <= set(models):
            return _table(state.tally.with_models(available))
        table = [state.table[models.index(model)] for model in available]
        return table if sum(table) > _NOISE else _table(state.tally.with_models(available))

    def _floors(self, state: Posterior, available: tuple[str, ...]) -> list[float]:
        """The least probability of each model, by how long it has been silent."""
        courses = state.of(available)
        even = self.exploration / max(1, len(courses))
        failed = sum([course.failed for course in courses])
        best = min(_means(*state.tally.of(available))) if failed else 0.0
        floors: list[float] = []
        for course in courses:
            share = even - state.spared
            if course.failed:
                share = min(_MOST, even + self.probing / failed * _hope(course.watch, best) - state.spared)
            silent = 2.0 * share * (state.clock - course.heard) > 1.0
            floors.append(2.0 * share if silent else 0.0)
        return floors

    def observe(self, state: Posterior, decision: Decision, losses: Losses) -> Posterior:
        learned, restarted = self.remember(state, decision, losses)
        state.since += learned
        if restarted or state.since >= max(1.0, sum(state.tally.counts) / 100):
            state.table, state.since = _table(state.tally), 0
        return state

    def blend(self, population: Posterior, own: Posterior, strength: float) -> Posterior:
        return self.meet(population, own, strength)

    def describe(self, state: Posterior) -> dict[str, dict[str, float]]:
        return state.tally.describe(state.table)


def _hope(watch: Watch, best: float) -> float:
    """By what factor a failed model is probed more often: 1 without evidence of a fall, 1 / alpha before its alarm."""
    midway = (best + watch.loss / max(1.0, watch.count)) / 2
    return exp(watch.better * -log(FALSE_ALARMS)) if watch.recent_loss <= midway * watch.recent_count else 1.0


def _means(counts: Sequence[float], losses: Sequence[float]) -> list[float]:
    return [loss / count if count else 0.0 for count, loss in zip(counts, losses, strict=True)]


def _table(tally: Tally) -> list[float]:
    losses = zip(tally.counts, tally.losses, strict=True)
    return chances_of_best([(1.0 + count - loss, 1.0 + loss) for count, loss in losses])
