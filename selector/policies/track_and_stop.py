"""Track-and-stop: find the best model with stated confidence, then ask only that one."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from typing import Annotated, ClassVar

from msgspec import Meta, field

from selector.decisions import Decision, Query
from selector.policies.memory import Memory, Remembering
from selector.policies.race import evidence, proportions
from selector.policy import LearnsFrom, Losses

_AGE = 1.05  # the shares are computed anew when the feedbacks have grown by this factor
_MODELS = 20  # models for each feedback by which the shares may lag at first


class Race(Memory, array_like=True):
    """Feedback so far, the shares of the queries, when they are due anew, and who has won, if anybody has."""

    shares: list[float] = field(default_factory=list)
    due: float = 0.0
    winner: str | None = None


class TrackAndStop(Remembering[Race], frozen=True, kw_only=True, tag="track_and_stop"):
    """Asks models by the shares that find the best soonest; once it is found asks it alone, until something changes.

    It stops when, for every other model, the evidence against that being better by more than `epsilon` exceeds
    ln(2 n (K - 1) / delta), n being the number of losses known: the winner is then within `epsilon` of the best with
    probability 1 - `delta`, while rates stay as they are and nothing is forgotten. It starts again when a model
    joins, the winner leaves, or `restart` finds that a model has changed: the winner by its own answers, others if
    shadow queries or the cache tell.
    `describe` has `chosen`: 1 for the winner, 0 for the others, and nothing while the race is on.

    Models are drawn by the shares, with a floor that forces exploration, instead of the one that lags most behind
    being asked: so the probability is that of the draw, and late feedback does not ask the same model over and over.
    The shares are computed anew when feedbacks have grown by a twentieth.

    Garivier & Kaufmann: Optimal best arm identification with fixed confidence (COLT 2016), C-tracking, theorem 10.

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = TrackAndStop()
    >>> state = policy.initial_state(["cnn", "svm"])
    >>> selection = policy.select(state, Query(id=1, available=("cnn", "svm")), [], {}, Random(1))
    >>> selection.models, round(selection.probability, 3)
    (('cnn',), 0.5)
    """

    state_type: ClassVar[type] = Race
    learns_from: ClassVar[LearnsFrom] = "labels"
    per_user: ClassVar[bool] = False

    epsilon: Annotated[float, Meta(ge=0, lt=0.5)] = 0.01
    delta: Annotated[float, Meta(gt=0, lt=1)] = 0.05

    def made(self, memory: Memory) -> Race:
        state = Race(memory.tally, memory.courses, memory.clock, memory.spared, memory.latest)
        self._run(state)
        return state

    def with_models(self, state: Race, models: Sequence[str]) -> Race:
        changed = super().with_models(state, models)
        if state.winner in models and set(models) <= set(state.tally.models):
            changed.winner = state.winner
        return changed

    def chances(self, state: Race, query: Query) -> Sequence[float]:
        models = state.tally.models
        if state.winner in query.available:
            return [float(model == state.winner) for model in query.available]
        known = dict(zip(models, state.shares, strict=True))
        return [known.get(model, 1.0 / len(query.available)) for model in query.available]

    def observe(self, state: Race, decision: Decision, losses: Losses) -> Race:
        learned, restarted = self.remember(state, decision, losses)
        if restarted or (learned and state.winner is None and state.clock >= state.due):
            self._run(state)
        return state

    def blend(self, population: Race, own: Race, strength: float) -> Race:
        return population

    def describe(self, state: Race) -> dict[str, dict[str, float]]:
        described = state.tally.describe(self.chances(state, Query(0, state.tally.models)))
        if state.winner is not None:
            for model, known in described.items():
                known["chosen"] = float(model == state.winner)
        return described

    def _run(self, state: Race) -> None:
        counts, losses = state.tally.counts, state.tally.losses
        k = len(counts)
        floor = 0.5 / sqrt(max(1, k * k) + sum(counts))
        means = [(count - loss + 0.5) / (count + 1.0) for count, loss in zip(counts, losses, strict=True)]
        state.shares = [(1.0 - k * floor) * share + floor for share in proportions(means, self.epsilon)]
        state.due = _AGE * state.clock + max(1.0, k / _MODELS)
        state.winner = self._winner(state.tally.models, counts, losses)

    def _winner(self, models: Sequence[str], counts: Sequence[float], losses: Sequence[float]) -> str | None:
        k, n = len(models), sum(counts)
        if k == 1:
            return models[0]
        if min(counts, default=0.0) < 1.0:
            return None
        means = [1.0 - loss / count for count, loss in zip(counts, losses, strict=True)]
        best = max(range(k), key=means.__getitem__)
        least = min(
            evidence(counts[best], means[best], counts[i], means[i], self.epsilon) for i in range(k) if i != best
        )
        return models[best] if least > log(2.0 * n * (k - 1) / self.delta) else None
