"""All models, one vote each: the ensemble that learns nothing."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from statistics import median
from typing import ClassVar

from selector.decisions import Answer, Decision, Query, Selection
from selector.policies.tally import Tally
from selector.policies.vote import everyone, weighted_vote
from selector.policy import LearnsFrom, Losses, Policy, Predictions, Selections


class MajorityVote(Policy[Tally], frozen=True, kw_only=True, tag="majority_vote"):
    """Asks all models; the answer is the label that most of them gave, in regression the median.

    Ties go to the label of the model that comes first by name. Confidence is the share of the
    models asked that gave the answer (in regression, that have arrived).

    >>> from selector.decisions import Prediction, Query, Selection
    >>> policy = MajorityVote()
    >>> query = Query(id=1, available=("cnn", "forest", "svm"))
    >>> said = {"cnn": Prediction("cat"), "forest": Prediction("dog"), "svm": Prediction("dog")}
    >>> policy.combine(policy.initial_state(query.available), query, [Selection(query.available, 1.0)], said).output
    'dog'
    """

    state_type: ClassVar[type] = Tally
    learns_from: ClassVar[LearnsFrom] = "nothing"
    per_user: ClassVar[bool] = False

    def initial_state(self, models: Sequence[str]) -> Tally:
        return Tally().with_models(models)

    def with_models(self, state: Tally, models: Sequence[str]) -> Tally:
        return state.with_models(models)

    def select(
        self, state: Tally, query: Query, selections: Selections, predictions: Predictions, rng: Random
    ) -> Selection | None:
        return everyone(query, selections)

    def combine(self, state: Tally, query: Query, selections: Selections, predictions: Predictions) -> Answer:
        asked = selections[0].models if selections else ()
        if self.task == "classification":
            return weighted_vote(asked, [0.0] * len(asked), predictions)
        numbers = [
            float(predictions[model].output)
            for model in asked
            if model in predictions and not isinstance(predictions[model].output, str)
        ]
        return Answer(median(numbers), len(numbers) / len(asked)) if numbers else Answer(None)

    def observe(self, state: Tally, decision: Decision, losses: Losses) -> Tally:
        return state

    def blend(self, population: Tally, own: Tally, strength: float) -> Tally:
        return population

    def describe(self, state: Tally) -> dict[str, dict[str, float]]:
        return state.describe([1.0] * len(state.models))
