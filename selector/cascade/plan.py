"""What to do next in a cascade, and what that is worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt

from msgspec import Struct
from msgspec.structs import replace

from selector.cascade.ledger import Ledger
from selector.cascade.odds import log_odds, logistic
from selector.cascade.stage import Stage
from selector.cascade.view import NOTHING, View
from selector.decisions import Prediction
from selector.pool import Pool

STAGES = 128
"""Sets of models that are remembered, at most."""

_FREE = 0.01  # of another's cost


class Way(Struct, frozen=True):
    """Asking `model` next (None: stopping): the accuracy to be reached, the cost of what is still asked, the net."""

    model: str | None
    accuracy: float
    cost: float
    net: float


class Plan(Struct, frozen=True):
    """All that decides, for one query. `ids` are the bits of models, `costs` and `usual` accuracies by model.

    `reference` is the model that must not be lost to (None: a budget rules), z the deviations of certainty about that;
    `share` of the queries run to the end. `shifts`, by model, are log odds that the query itself adds.
    """

    stages: dict[int, Stage]
    ids: Mapping[str, int]
    costs: Mapping[str, float]
    usual: Mapping[str, float]
    ledger: Ledger
    reference: str | None
    z: float
    share: float
    shifts: Mapping[str, float]

    def mask(self, models: Iterable[str]) -> int:
        """The set as bits."""
        return sum([1 << self.ids[model] for model in models])

    def place(self, said: Mapping[str, Prediction]) -> tuple[Stage, View]:
        """The stage where these have answered, and what is seen there."""
        mask = self.mask(said)
        stage = self.stages.get(mask) or Stage(Pool().with_models(tuple(said)))
        if not mask:
            return stage, NOTHING
        return stage, stage.view(mask, said, self.shifts)

    def best(self, stage: Stage, view: View, rest: Sequence[str]) -> Way:
        """The best of `rest` to ask next, whether or not that is better than stopping. At first, what is free.

        Later a cheaper one is asked in place of the best if, better than it seems by one standard deviation, it would
        be better than that: of what is not asked it is never learned that too little was thought of it.
        The net returned remains the best's.
        """
        prospects = {model: stage.prospects(view, self.ids[model]) for model in rest}
        ways = {model: self._way(view, model, prospects[model]) for model in rest}
        best = max(ways, key=lambda model: ways[model].net)
        if not view.mask:
            free = [model for model in ways if self.costs[model] <= _FREE * self.costs[best]]
            return ways[max(free, key=lambda model: ways[model].net, default=best)]

        cheaper = [m for m in ways if self.costs[m] < self.costs[best]]
        hoped = {m: self._hope(m, prospects[m], stage.deviation(view, self.ids[m]), best) for m in cheaper}
        first = max(hoped, key=hoped.__getitem__, default=best)
        if first == best or hoped[first] <= ways[best].net:
            return ways[best]
        return replace(ways[first], net=ways[best].net)

    def stop(self, stage: Stage, view: View) -> Way:
        """Stopping here; what it is not to know whether the reference was right lowers the accuracy."""
        if not view.mask:
            return Way(None, 0.0, 0.0, -1e9)
        chance, variance = self.shadow(stage, view)
        if self.reference is None or not variance:
            return Way(None, view.confidence, 0.0, view.confidence)
        accuracy = view.confidence - self.ledger.worth(self.reference, self.z) * variance
        cost = chance * self.costs[self.reference]
        return Way(None, accuracy, cost, accuracy - self.ledger.rate * cost)

    def shadow(self, stage: Stage, view: View) -> tuple[float, float]:
        """The chance with which the reference is asked at a stop, and the variance of what is then known of it.

        With variance v of whether it is right, cost c and w its worth, the chance that makes c rho + w v / rho least.
        """
        reference = self.reference
        if reference is None or view.mask >> self.ids[reference] & 1:
            return 0.0, 0.0
        _, v = stage.expected(view, self.ids[reference], self.usual[reference])
        priced = self.ledger.rate * self.costs[reference]
        rho = sqrt(self.ledger.worth(reference, self.z) * v / priced) if priced > 0 else 1.0
        rho = min(1.0, max(self.share, rho))
        return rho, v * (1.0 - rho) / rho

    def _hope(self, model: str, prospects: tuple[float, float, float], deviation: float, best: str) -> float:
        """The net of asking `model` instead of `best` if it is better by one standard deviation than it seems.

        By itself; or with all that follows, and the less the more of the best's cost that takes: of a model which
        leaves all to others there is nothing to hope.
        """
        rate, cost = self.ledger.rate, self.costs[model]
        stop, on, further = prospects
        part = max(0.0, 1.0 - further / self.costs[best])
        return max(stop + deviation - rate * cost, on + part * deviation - rate * (cost + further))

    def _way(self, view: View, model: str, prospects: tuple[float, float, float]) -> Way:
        stop, on, further = prospects
        if self.shifts and not view.mask:
            stop, on = [logistic(log_odds(p) + self.shifts[model]) for p in (stop, on)]
        cost, rate = self.costs[model], self.ledger.rate
        net = on - rate * (cost + further)
        if stop - rate * cost >= net:
            return Way(model, stop, cost, stop - rate * cost)
        return Way(model, on, cost + further, net)
