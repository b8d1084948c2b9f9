"""Exp4 with full information: the weighted vote of all models, each judged by its own errors."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from selector.decisions import Answer, Decision, Query, Selection
from selector.drift import DETECTORS, Detector, DetectorName, Watch
from selector.policies.tally import Tally
from selector.policies.vote import everyone, weighted_mean, weighted_vote
from selector.policies.weights import Weights
from selector.policy import LearnsFrom, Losses, Policy, Predictions, Selections


class Votes(Weights, array_like=True):
    """Weights, and what the detectors know of the models, aligned with them."""

    watches: list[Watch] = field(default_factory=list)

    def with_models(self, models: Sequence[str]) -> Votes:
        return self.watched(super().with_models(models))

    def watched(self, weights: Weights) -> Votes:
        """These weights, and what is known here of their models."""
        known = dict(zip(self.tally.models, self.watches, strict=True))
        watches = [known[model].copy() if model in known else Watch() for model in weights.tally.models]
        return Votes(weights.tally, weights.logs, weights.memory, watches)

    def watch(self, losses: Losses, detector: Detector, learning_rate: float) -> None:
        """After these losses have been learned, in place: a model that has changed weighs what it is worth since."""
        for i, model in enumerate(self.tally.models):
            watch = self.watches[i]
            if model in losses and detector.add(watch, losses[model]) is not None:
                self.reweigh(model, watch.recent_count, watch.recent_loss, learning_rate)
                self.watches[i] = watch.restarted()


class Exp4(Policy[Votes], frozen=True, kw_only=True, tag="exp4"):
    """Asks all models and answers their weighted vote (in regression, mean); w_i *= exp(-eta L_i) for each loss known.

    `learning_rate` is eta. `share` is the fixed share, given up at each feedback and spread evenly: 0
    is the plain rule, under which a model that failed for long does not come back. A model that joins gets the
    mean weight. Confidence is the answer's share of the weight of all models that were asked (in regression, the
    share of the weight that arrived). `restart` is the detector that watches each model's losses: one that has
    changed weighs what its losses since then are worth. It takes more time than all the rest, so it must be asked
    for: where models fail and recover, `restart = "cusum", share = 0.01` comes back sooner.

    Each model is an expert whose advice is one label (Auer et al. 2002, section 7); the loss of every
    expert being known, the update is the weighted majority's (Littlestone & Warmuth 1994). Fixed share: Herbster &
    Warmuth 1998.

    >>> from selector.decisions import Prediction, Query, Selection
    >>> policy = Exp4()
    >>> state = policy.initial_state(["cnn", "forest", "svm"])
    >>> query = Query(id=1, available=("cnn", "forest", "svm"))
    >>> asked = [Selection(query.available, 1.0)]
    >>> policy.combine(state, query, asked, {"cnn": Prediction(3), "svm": Prediction(3)}).confidence
    0.6666666666666666
    """

    state_type: ClassVar[type] = Votes
    learns_from: ClassVar[LearnsFrom] = "labels"

    learning_rate: Annotated[float, Meta(gt=0)] = 0.2
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.001
    restart: DetectorName | Literal["none"] = "none"

    def initial_state(self, models: Sequence[str]) -> Votes:
        return self.with_models(Votes(Tally()), models)

    def with_models(self, state: Votes, models: Sequence[str]) -> Votes:
        return state.with_models(models)

    def select(
        self, state: Votes, query: Query, selections: Selections, predictions: Predictions, rng: Random
    ) -> Selection | None:
        return everyone(query, selections)

    def combine(self, state: Votes, query: Query, selections: Selections, predictions: Predictions) -> Answer:
        asked = selections[0].models if selections else ()
        pool = weighted_mean if self.task == "regression" else weighted_vote
        return pool(asked, state.logs_of(asked), predictions)

    def observe(self, state: Votes, decision: Decision, losses: Losses) -> Votes:
        state.learn_all(losses, self.learning_rate, self.share, decision.query.available)
        if self.restart != "none":
            state.watch(losses, DETECTORS[self.restart], self.learning_rate)
        return state

    def blend(self, population: Votes, own: Votes, strength: float) -> Votes:
        return own.watched(population.blend(own, strength, self.learning_rate, self.share))

    def describe(self, state: Votes) -> dict[str, dict[str, float]]:
        return state.tally.describe(state.of(state.tally.models))
