"""Index policies: each model has an index, computed from its own feedback; the greatest is asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import inf
from typing import ClassVar

from selector.decisions import Decision, Query
from selector.policies.memory import Memory, Remembering
from selector.policy import LearnsFrom, Losses


class Index(Remembering[Memory], frozen=True, kw_only=True):
    """Asks the model with the greatest index, ties broken evenly."""

    state_type: ClassVar[type] = Memory
    learns_from: ClassVar[LearnsFrom] = "labels"

    @abstractmethod
    def indices(self, counts: Sequence[float], losses: Sequence[float], total: float) -> list[float]:
        """The index of each of these models, by how often it was scored and its summed losses; `total` counts all."""

    def made(self, memory: Memory) -> Memory:
        return memory

    def chances(self, state: Memory, query: Query) -> Sequence[float]:
        indices = self.indices(*state.tally.of(query.available), sum(state.tally.counts))
        best = max(indices, default=inf)
        return [1.0 if index == best else 0.0 for index in indices]

    def observe(self, state: Memory, decision: Decision, losses: Losses) -> Memory:
        self.remember(state, decision, losses)
        return state

    def blend(self, population: Memory, own: Memory, strength: float) -> Memory:
        return self.meet(population, own, strength)

    def describe(self, state: Memory) -> dict[str, dict[str, float]]:
        return state.tally.describe(self.chances(state, Query(0, state.tally.models)))
