"""UCB1: the model that may be the best, as far as its feedback allows."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log, sqrt
from typing import ClassVar

from selector.decisions import Decision, Query
from selector.policies.memory import Memory, Remembering
from selector.policy import LearnsFrom, Losses


class UCB1(Remembering[Memory], frozen=True, kw_only=True, tag="ucb1"):
    """Asks the model with the greatest mean reward + sqrt(2 ln n / n_i), ties broken evenly; the untried first.

    n_i counts the feedbacks received about model i, n those about all; what was asked and not yet
    judged does not count.
    The published rule is `unasked = false, restart = "none"`.

    Auer, Cesa-Bianchi, Fischer: Finite-time analysis of the multiarmed bandit problem (2002), figure 1. With `discount`
    or `window`: Garivier & Moulines: On upper-confidence bound policies for switching bandit problems (ALT 2011), D-UCB
    and SW-UCB; with `restart`: Liu, Lee, Shroff: A change-detection based framework for piecewise-stationary
    multi-armed bandits (AAAI 2018), CUSUM-UCB.

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = UCB1()
    >>> state = policy.initial_state(["cnn", "svm"])
    >>> state.tally.add("svm", 0.0)
    >>> policy.select(state, Query(id=1, available=("cnn", "svm")), [], {}, Random(1))
    Selection(models=('cnn',), probability=1.0)
    """

    state_type: ClassVar[type] = Memory
    learns_from: ClassVar[LearnsFrom] = "labels"

    def made(self, memory: Memory) -> Memory:
        return memory

    def chances(self, state: Memory, query: Query) -> Sequence[float]:
        n = max(1.0, sum(state.tally.counts))
        bounds = [
            1.0 - loss / count + sqrt(2.0 * log(n) / count) if count else inf
            for count, loss in zip(*state.tally.of(query.available), strict=True)
        ]
        best = max(bounds, default=inf)
        return [1.0 if bound == best else 0.0 for bound in bounds]

    def observe(self, state: Memory, decision: Decision, losses: Losses) -> Memory:
        self.remember(state, decision, losses)
        return state

    def blend(self, population: Memory, own: Memory, strength: float) -> Memory:
        return self.meet(population, own, strength)

    def describe(self, state: Memory) -> dict[str, dict[str, float]]:
        return state.tally.describe(self.chances(state, Query(0, state.tally.models)))
