"""One query of which more is known than was needed: where would the cascade have gone, and what would it have got?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations

from msgspec import Struct

from selector.cascade.plan import STAGES, Plan
from selector.cascade.stage import Stage
from selector.cascade.view import View
from selector.decisions import Prediction

_FEW = 4  # models all of whose sets are looked at: each more doubles the work, and the state


class Place(Struct, frozen=True):
    """A stage in this query: what is seen there, who has answered, who would be asked next, what is reached, spent."""

    stage: Stage
    view: View
    said: dict[str, Prediction]
    after: str | None
    accuracy: float
    cost: float


class Rehearsal:
    """Follows the plan over what some models said of one query, `within` these stages (None: all).

    What follows a stage, if the next one is looked at, is what the calibrated confidence at the plan's end claims, not
    the value that the plan hopes for: a maximum of estimates claims too much.
    """

    def __init__(
        self,
        plan: Plan,
        available: Sequence[str],
        said: Mapping[str, Prediction],
        right: Mapping[str, bool],
        within: Collection[int] | None,
    ) -> None:
        self._plan = plan
        self._available = available
        self._said = said
        self._right = right
        self._within = within
        self._places: dict[int, Place] = {}
        self._path = set(within or ())

    def play(self) -> None:
        """Look at the plan's own path and one step aside of it, or at all stages of `within`."""
        for mask in sorted(self._within or ()):
            self._place(mask)
        mask = 0
        while self._within is None:
            for model in self._said:
                self._place(mask | 1 << self._plan.ids[model])
            self._path.add(mask)
            after = self._place(mask).after
            if after is None or after not in self._said:
                return
            mask |= 1 << self._plan.ids[after]

    def widen(self) -> None:
        """Look at all sets of models as well, if those are few: pools that learn only near the path stay young."""
        if len(self._plan.ids) > _FEW:
            return
        bits = [1 << self._plan.ids[model] for model in self._said]
        for size in range(len(bits) + 1):
            for chosen in combinations(bits, size):
                self._place(sum(chosen))

    def learn_steps(self) -> None:
        """What each step has led to, in place."""
        for mask, place in self._places.items():
            for model in self._said:
                led = self._places.get(mask | 1 << self._plan.ids[model])
                if led is not None and model not in place.said:
                    self._keep(mask, place.stage).learn_step(
                        place.view, self._plan.ids[model], led.view.confidence, led.accuracy, led.cost
                    )

    def learn_labels(self) -> None:
        """Who was right, in place; of those not asked only on the plan's own path: who steps aside is another query."""
        for mask, place in self._places.items():
            known = [self._right[m] for m, said in place.said.items() if said.output == place.view.label]
            if mask and not known:
                continue
            stage, correct = self._keep(mask, place.stage), any(known)
            for model, right in self._right.items():
                if mask in self._path and model not in place.said:
                    id_, usual = self._plan.ids[model], self._plan.usual[model]
                    stage.learn_other(place.view, id_, usual, right, correct)
            if mask:
                stage.learn(place.view, place.said, self._right, correct)

    def _place(self, mask: int) -> Place:
        place = self._places.get(mask)
        if place is None:
            place = self._places[mask] = self._look(mask)
        return place

    def _look(self, mask: int) -> Place:
        plan = self._plan
        said = {model: what for model, what in self._said.items() if mask >> plan.ids[model] & 1}
        stage, view = plan.place(said)
        rest = [model for model in self._available if model not in said]
        way = plan.stop(stage, view)
        if rest:
            way = max(way, plan.best(stage, view, rest), key=lambda way: way.net)
        accuracy, cost = way.accuracy, way.cost
        if way.model is not None and way.model in self._said:
            after = mask | 1 << plan.ids[way.model]
            if self._within is None or after in self._within:
                then = self._place(after)
                accuracy, cost = then.accuracy, plan.costs[way.model] + then.cost
        return Place(stage, view, said, way.model, accuracy, cost)

    def _keep(self, mask: int, stage: Stage) -> Stage:
        """The stage as it is remembered, if it is."""
        if len(self._plan.stages) < STAGES:
            return self._plan.stages.setdefault(mask, stage)
        return stage
