"""UCB1: the model that may be the best, as far as its feedback allows."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log, sqrt

from selector.policies.index import Index


class UCB1(Index, frozen=True, kw_only=True, tag="ucb1"):
    """Asks the model with the greatest mean reward + sqrt(2 ln n / n_i), ties broken evenly; the untried first.

    n_i counts the feedbacks received about model i, n those about all; what was asked and not yet
    judged does not count. The published rule is `unasked = false, restart = "none"`.

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

    def indices(self, counts: Sequence[float], losses: Sequence[float], total: float) -> list[float]:
        doubt = 2.0 * log(max(1.0, total))
        return [
            1.0 - loss / count + sqrt(doubt / count) if count else inf
            for count, loss in zip(counts, losses, strict=True)
        ]
