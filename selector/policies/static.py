"""Always the same model: what one has before one has a policy, and what every policy is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from selector.decisions import Answer, Decision, Query, Selection
from selector.policies.single import only_answer
from selector.policies.tally import Tally
from selector.policy import LearnsFrom, Losses, Policy, Predictions, Selections


class Static(Policy[Tally], frozen=True, kw_only=True, tag="static"):
    """Asks `model`, given as "name" (its newest version) or "name:version"; nobody when that is not available.

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = Static(model="svm")
    >>> query = Query(id=1, available=("cnn:1", "svm:9", "svm:10"))
    >>> policy.select(policy.initial_state(query.available), query, [], {}, Random(1))
    Selection(models=('svm:10',), probability=1.0)
    """

    state_type: ClassVar[type] = Tally
    learns_from: ClassVar[LearnsFrom] = "nothing"
    per_user: ClassVar[bool] = False

    model: str

    def initial_state(self, models: Sequence[str]) -> Tally:
        return Tally().with_models(models)

    def with_models(self, state: Tally, models: Sequence[str]) -> Tally:
        return state.with_models(models)

    def select(
        self, state: Tally, query: Query, selections: Selections, predictions: Predictions, rng: Random
    ) -> Selection | None:
        model = self._newest(query.available)
        return None if selections or model is None else Selection((model,), 1.0)

    def combine(self, state: Tally, query: Query, selections: Selections, predictions: Predictions) -> Answer:
        return only_answer(selections, predictions)

    def observe(self, state: Tally, decision: Decision, losses: Losses) -> Tally:
        return state

    def blend(self, population: Tally, own: Tally, strength: float) -> Tally:
        return population

    def describe(self, state: Tally) -> dict[str, dict[str, float]]:
        model = self._newest(state.models)
        return {m: {"weight": float(m == model), "count": 0.0} for m in state.models}

    def _newest(self, models: Sequence[str]) -> str | None:
        """The longer version is the newer one of two ("10" after "9"), then the greater."""
        versions = [m for m in models if m == self.model or m.partition(":")[0] == self.model]
        return max(versions, key=lambda m: (len(m), m), default=None)
