"""Linear Thompson sampling: each model as often as it is likely to be the best, given the query's features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta

from selector.features import Array
from selector.policies.best_arm import chances_of_greatest
from selector.policies.linear import Linear

_LEAST = 1e-9  # deviations below cannot be told apart


class LinearThompson(Linear, frozen=True, kw_only=True, tag="linear_thompson"):
    """Asks each model with the probability that its reward is the greatest, theta being N(A^-1 b, scale^2 A^-1).

    Drawing a theta for each model and asking the greatest theta^T x is the same as drawing a model from P(best), and
    that is computed, so the logged probability is exact. `scale` is v: the greater, the more it explores; the
    true posterior's is the deviation of the noise, at most .5.
    The published rule, but that a model counts as faultless before its first feedback, is `drifts = [0], exploration =
    0, unasked = false`.

    Agrawal & Goyal: Thompson sampling for contextual bandits with linear payoffs (ICML 2013), with a theta for each
    model. With `discount`: Kim & Tewari: Randomized exploration for non-stationary stochastic linear bandits
    (UAI 2020).

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = LinearThompson()
    >>> query = Query(id=1, available=("cnn", "svm"), user="ann", features={"length": 12, "language": "en"})
    >>> policy.select(policy.initial_state(query.available), query, [], {}, Random(1))
    Selection(models=('cnn',), probability=0.5)
    """

    scale: Annotated[float, Meta(gt=0)] = 0.2

    def preferences(self, means: Array, widths: Array, counts: Sequence[float]) -> Sequence[float]:
        return chances_of_greatest(means.tolist(), np.maximum(_LEAST, self.scale * widths).tolist())
