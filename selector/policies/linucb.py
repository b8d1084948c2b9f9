"""LinUCB: the model whose reward may be the greatest, given the query's features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta

from selector.features import Array
from selector.policies.linear import Linear


class LinUCB(Linear, frozen=True, kw_only=True, tag="linucb"):
    """Asks the model with the greatest theta^T x + alpha sqrt(x^T A^-1 x), ties broken evenly.

    The greater `alpha`, the more it explores. It is 1 + `novelty` / n times as great for a model that has been scored n
    times (at least once): what is known after a few answers may be bad luck, which must not keep a good model out. The
    published rule, but that a model counts as faultless before its first feedback, is `drifts = [0], exploration = 0,
    unasked = false, novelty = 0`.

    Li, Chu, Langford, Schapire: A contextual-bandit approach to personalized news article recommendation (WWW 2010),
    algorithm 1, of disjoint models. With `discount`: Russac, Vernade, Cappe: Weighted linear bandits for
    non-stationary environments (NeurIPS 2019).

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = LinUCB()
    >>> query = Query(id=1, available=("cnn", "svm"), user="ann", features={"length": 12, "language": "en"})
    >>> policy.select(policy.initial_state(query.available), query, [], {}, Random(1))
    Selection(models=('cnn',), probability=0.5)
    """

    alpha: Annotated[float, Meta(ge=0)] = 0.3
    novelty: Annotated[float, Meta(ge=0)] = 5.0

    def preferences(self, means: Array, widths: Array, counts: Sequence[float]) -> Sequence[float]:
        alphas = self.alpha * (1.0 + self.novelty / np.maximum(counts, 1.0))
        bounds = (means + alphas * widths).tolist()
        best = max(bounds, default=0.0)
        return [float(bound == best) / bounds.count(best) for bound in bounds]
