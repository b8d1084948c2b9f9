"""Estimators of a policy's value: each a ratio of sums over the log, so that one reading serves all."""

from __future__ import annotations

from collections.abc import Mapping
from math import log, sqrt

import numpy as np
from msgspec import Struct

from selector.replay.logged import Floats

DEFAULT = "blend"


_MODELLED = frozenset(
    ("predicted", "weighted_residual", "switched_residual", "shrunk_residual", "balanced_score")
)  # sums that take the model of all candidates


class Estimator(Struct, frozen=True):
    """value = (base / decisions) + numerator / denominator, each the name of a sum over the log.

    `interval_of` names the estimator whose interval it has: a biased one has that of its unbiased counterpart, for an
    interval is about the candidate's value.
    """

    numerator: str
    denominator: str = "decisions"
    base: str | None = None
    interval_of: str | None = None

    @property
    def takes_model(self) -> bool:
        """Whether it needs the model of the rewards that is common to all candidates."""
        return self.numerator in _MODELLED

    def value(self, sums: Mapping[str, Floats]) -> Floats:
        """The estimates from sums of any one shape; NaN where there is nothing to divide by."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = sums[self.numerator] / sums[self.denominator]
            return value if self.base is None else value + sums[self.base] / sums["decisions"]


class Blend(Estimator, frozen=True):
    """dm + s b, where b is what `sndr` adds to it, and s = max(0, 1 - error^2 / b^2).

    b is the model's bias and noise of a known error; s is the share of b^2 that is not noise, estimated by moments
    (the positive part of James & Stein's). A model that residuals do not contradict is left alone, another corrected.
    """

    def value(self, sums: Mapping[str, Floats]) -> Floats:
        """See Estimator."""
        n = sums["decisions"]
        with np.errstate(divide="ignore", invalid="ignore"):
            b = sums["weighted_residual"] / sums["weights"]
            spread = sums["squared_residual"] - 2 * b * sums["residual_weight"] + b**2 * sums["squares"]
            noise = np.maximum(spread, 0.0) / n**2
            corrected = b * np.maximum(0.0, 1.0 - noise / np.maximum(b**2, 1e-300))
            return sums["predicted"] / n + corrected


ESTIMATORS: dict[str, Estimator] = {
    "blend": Blend("weighted_residual", "weights", base="predicted", interval_of="sndr"),
    "dros": Estimator("shrunk_residual", base="predicted", interval_of="sndr"),
    "dr": Estimator("weighted_residual", base="predicted"),
    "sndr": Estimator("weighted_residual", "weights", "predicted"),
    "mrdr": Estimator("own_residual", base="own_predicted"),
    "balanced": Estimator("balanced_score", "balance", interval_of="dr"),
    "switch": Estimator("switched_residual", base="predicted", interval_of="sndr"),
    "dm": Estimator("predicted", interval_of="sndr"),
    "snips": Estimator("weighted_reward", "weights"),
    "ips": Estimator("weighted_reward"),
    "clipped": Estimator("clipped_reward", interval_of="ips"),
    "subgaussian": Estimator("smoothed_reward", interval_of="ips"),
    "replay": Estimator("accepted_reward", "accepted"),
}
"""By name, the default first.

`ips`: mean of w r, w = pi(a|x) / mu(a|x) (Horvitz & Thompson 1952). `snips`: sum w r / sum w (Swaminathan & Joachims
2015). `clipped`: min(w, tau) (Ionides 2008). `subgaussian`: w / (1 - l + l w) (Metelli et al. 2021). `dm`: mean of
E_pi[q(x, a)], q a model of the rewards. `dr`: dm + mean of w (r - q) (Dudik et al. 2011); `sndr`: the same over sum w.
`mrdr`: dr with a model for each candidate, fitted where it matters for the variance of dr, with weights w^2 (1 - mu)
(Farajtabar et al. 2018). `balanced`: dr where stretches of the log count by the inverse of E[w^2], for logging
policies that changed over time (Agarwal et al. 2017, Hadad et al. 2021), if rewards did not.
`blend`: between dm and sndr (see Blend). `switch`: dr where w <= tau, dm elsewhere (Wang et al. 2017). `dros`: dr with
weights l w / (w^2 + l) (Su et al. 2020). `replay`: mean reward of the rows that rejection sampling keeps, each with
chance w / max w (Li et al. 2011, where the log is uniform).
"""


class Limits(Struct, frozen=True):
    """How far weights are trusted on a log of n decisions: tau = max(10, sqrt(n) / 10), so that the bias vanishes
    faster than the error of the estimate. `second_moment` is the mean of w^2, `largest` the largest w.
    """

    decisions: int
    second_moment: float
    largest: float

    @property
    def tau(self) -> float:
        """Weights above are clipped, or switched."""
        return max(10.0, sqrt(self.decisions) / 10.0)

    @property
    def shrinkage(self) -> float:
        """lambda of `dros`: weights far above its root count for nothing."""
        return self.tau**2

    @property
    def smoothing(self) -> float:
        """l of `subgaussian`, for a confidence of 95%."""
        return min(1.0, sqrt(2.0 * log(20.0) / (3.0 * max(self.second_moment, 1.0) * self.decisions)))


def columns(
    weights: Floats, rewards: Floats, predicted: tuple[Floats, Floats] | None, limits: Limits, accepted: Floats
) -> dict[str, Floats]:
    """What is summed for each row: [n] each.

    `predicted` are E_pi[q] and q of what was chosen; `accepted` is 1 for the rows that rejection sampling keeps.
    """
    matched = (weights > 0.0).astype(np.float64)
    table = {
        "decisions": np.ones_like(weights),
        "rewards": rewards,
        "weights": weights,
        "squares": weights**2,
        "weighted_reward": weights * rewards,
        "clipped_reward": np.minimum(weights, limits.tau) * rewards,
        "smoothed_reward": weights / (1.0 + limits.smoothing * (weights - 1.0)) * rewards,
        "matched": matched,
        "matched_reward": matched * rewards,
        "accepted": accepted,
        "accepted_reward": accepted * rewards,
    }
    if predicted is not None:
        expected, chosen = predicted
        residual = weights * (rewards - chosen)
        table["predicted"] = expected
        table["weighted_residual"] = residual
        table["squared_residual"] = residual**2
        table["residual_weight"] = residual * weights
        table["switched_residual"] = np.where(weights <= limits.tau, residual, 0.0)
        table["shrunk_residual"] = residual * (limits.shrinkage / (weights**2 + limits.shrinkage))
    return table
