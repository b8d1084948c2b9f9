"""Epsilon-greedy: mostly the model with the smallest mean loss, sometimes any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from selector.decisions import Decision, Query
from selector.policies.memory import Memory, Remembering
from selector.policy import LearnsFrom, Losses


class EpsilonGreedy(Remembering[Memory], frozen=True, kw_only=True, tag="epsilon_greedy"):
    """Asks any model with probability `epsilon`, else the one with the smallest mean loss, ties broken evenly.

    A model without feedback counts as faultless, so it is tried. The published rule is
    `unasked = false, restart = "none"`.

    Sutton & Barto: Reinforcement Learning (2018), section 2.4.

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = EpsilonGreedy(epsilon=0.2)
    >>> state = policy.initial_state(["cnn", "svm"])
    >>> state.tally.add("svm", 1.0)
    >>> policy.select(state, Query(id=1, available=("cnn", "svm")), [], {}, Random(1))
    Selection(models=('cnn',), probability=0.9)
    """

    state_type: ClassVar[type] = Memory
    learns_from: ClassVar[LearnsFrom] = "labels"

    epsilon: Annotated[float, Meta(ge=0, le=1)] = 0.1

    def made(self, memory: Memory) -> Memory:
        return memory

    def chances(self, state: Memory, query: Query) -> Sequence[float]:
        counts, losses = state.tally.of(query.available)
        means = [loss / count if count else 0.0 for count, loss in zip(counts, losses, strict=True)]
        best = min(means, default=0.0)
        explore = self.epsilon / max(1, len(means))
        exploit = (1.0 - self.epsilon) / max(1, means.count(best))
        return [explore + exploit if mean == best else explore for mean in means]

    def observe(self, state: Memory, decision: Decision, losses: Losses) -> Memory:
        self.remember(state, decision, losses)
        return state

    def blend(self, population: Memory, own: Memory, strength: float) -> Memory:
        return self.meet(population, own, strength)

    def describe(self, state: Memory) -> dict[str, dict[str, float]]:
        return state.tally.describe(self.chances(state, Query(0, state.tally.models)))
