"""Epsilon-greedy: mostly the model with the smallest mean loss, sometimes any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from selector.decisions import Query
from selector.policies.index import Index
from selector.policies.memory import Memory


class EpsilonGreedy(Index, frozen=True, kw_only=True, tag="epsilon_greedy"):
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

    epsilon: Annotated[float, Meta(ge=0, le=1)] = 0.1

    def indices(self, counts: Sequence[float], losses: Sequence[float], total: float) -> list[float]:
        return [-loss / count if count else 0.0 for count, loss in zip(counts, losses, strict=True)]

    def chances(self, state: Memory, query: Query) -> Sequence[float]:
        greedy = super().chances(state, query)
        explore = self.epsilon / max(1, len(greedy))
        exploit = (1.0 - self.epsilon) / max(1.0, sum(greedy))
        return [explore + exploit * best for best in greedy]
