"""How many errors a model would have made, told from the queries at which it was asked."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from selector.cascade.stage import LEAST_VARIANCE, Stage
from selector.cascade.view import NOTHING, keys_of

_STRATA = 1024  # of one stage, at most: what comes later is counted under its bin of confidence
_STAGES = 128  # at most: at later ones it is not told apart what was seen
_INFLATION = 1.5  # strata are coarse: those asked within one differ a little from the others


class Survey(Struct, array_like=True):
    """Of one model: `seen` errors; and by stage and stratum, the queries at which it was not asked.

    A stratum is what was seen when the cascade stopped, and whether its answer was right. Within one, who is asked is
    chance, so that the share of errors of those asked, which the stages keep, is that of all: post-stratification.
    Unlike weights by the chance of having been asked it learns from all that were, and no single one counts for a
    hundred.

    Holt, Smith: Post stratification (Journal of the Royal Statistical Society A, 1979).
    """

    seen: float = 0.0
    unseen: dict[int, dict[int, float]] = {}

    def know(self, wrong: bool) -> None:
        """One query at which the model was asked, in place."""
        self.seen += wrong

    def miss(self, mask: int, key: int, correct: bool) -> None:
        """One query at which it was not, in place: the stage, the finest key of its view, and was the answer right."""
        if mask not in self.unseen and len(self.unseen) >= _STAGES:
            mask, key, correct = NOTHING.mask, NOTHING.keys[-1], False
        strata = self.unseen.setdefault(mask, {})
        stratum = 2 * key + correct
        if stratum not in strata and len(strata) >= _STRATA:
            stratum = 2 * keys_of(key)[:2][-1] + correct
        strata[stratum] = strata.get(stratum, 0.0) + 1.0

    def fade(self, keep: float) -> None:
        """Let all count for less, in place."""
        self.seen *= keep
        for strata in self.unseen.values():
            for stratum in strata:
                strata[stratum] *= keep

    def estimate(self, stages: Mapping[int, Stage], model: int, usual: float) -> tuple[float, float]:
        """The errors in all queries, and the variance of that; `usual` is how often the model is right."""
        total, spread = self.seen, 0.0
        for mask, strata in self.unseen.items():
            stage = stages.get(mask) or Stage()
            bins: dict[int, list[float]] = {}
            for stratum, n in strata.items():
                finest, correct = stratum >> 1, bool(stratum & 1)
                right = stage.other(finest, model, usual, correct)
                total += n * (1.0 - right)
                sums = bins.setdefault(2 * keys_of(finest)[:2][-1] + correct, [0.0, 0.0])
                sums[0] += n
                sums[1] += n * max(right * (1.0 - right), LEAST_VARIANCE)
            for stratum, (n, variance) in bins.items():
                spread += n * variance / (stage.known(stratum >> 1, model, bool(stratum & 1)) + 1.0)
        return total, _INFLATION * spread
