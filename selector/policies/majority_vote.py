"""All models, one vote each: the ensemble that learns only how far its agreement can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from statistics import median
from typing import Annotated, ClassVar

from msgspec import Meta, Struct, field

from selector.agreement import Agreement
from selector.certainty import WRONG
from selector.decisions import Answer, Decision, Label, Query, Selection
from selector.losses import Loss, TopK, of_rightness, top_labels
from selector.policies.tally import Tally
from selector.policies.vote import everyone
from selector.policy import LearnsFrom, Losses, Policy, Predictions, Selections


class Votes(Struct, array_like=True):
    """What has been observed of each model, and of answers."""

    tally: Tally
    agreement: Agreement = field(default_factory=Agreement)


class Count(Struct, frozen=True, gc=False):
    """The `labels` with most votes, the answer first. Of those who could be asked, the share `among` has the label with
    most votes among its top k, and the share `said` says the answer.
    """

    labels: tuple[Label, ...]
    among: float
    said: float


class MajorityVote(Policy[Votes], frozen=True, kw_only=True, tag="majority_vote"):
    """Asks all models; the answer is the label that most of them gave, in regression the median.

    With `top` = k > 1 each model votes for its k most probable labels (for one label, where it gives no distribution),
    `Answer.top` has the k labels with most votes, and right is an answer that has the truth among them; its output is
    the one of these that most models put first. Ties go to the label that is the more probable, then to that of the
    model that comes first by name.

    Confidence is the calibrated probability that the answer is right: at first the share of the models asked that
    agree, on the label or on the top k, then what has come of answers on which as many agreed. Where models vote for
    several labels, who was right tells the truth up to a tie: each label that it may be then counts in part. In
    regression it is the share that has arrived.

    Agreement: Crankshaw et al.: Clipper (NSDI 2017), section 5.2.1.

    >>> from selector.decisions import Prediction, Query, Selection
    >>> policy = MajorityVote()
    >>> query = Query(id=1, available=("cnn", "forest", "svm"))
    >>> said = {"cnn": Prediction("cat"), "forest": Prediction("dog"), "svm": Prediction("dog")}
    >>> policy.combine(policy.initial_state(query.available), query, [Selection(query.available, 1.0)], said).output
    'dog'
    """

    state_type: ClassVar[type] = Votes
    learns_from: ClassVar[LearnsFrom] = "labels"
    per_user: ClassVar[bool] = False

    top: Annotated[int, Meta(ge=1)] = 1

    def initial_state(self, models: Sequence[str]) -> Votes:
        return self.with_models(Votes(Tally()), models)

    def with_models(self, state: Votes, models: Sequence[str]) -> Votes:
        return Votes(state.tally.with_models(models), state.agreement)

    def select(
        self, state: Votes, query: Query, selections: Selections, predictions: Predictions, rng: Random
    ) -> Selection | None:
        return everyone(query, selections)

    def combine(self, state: Votes, query: Query, selections: Selections, predictions: Predictions) -> Answer:
        asked = selections[0].models if selections else ()
        if self.task == "regression":
            return _middle(asked, predictions)
        count = self._count(asked, predictions)
        if not count.labels:
            return Answer(None)
        confidence = state.agreement(count.among, count.said)
        return Answer(count.labels[0], confidence, top=count.labels if self.top > 1 else ())

    def judged_by(self, loss: Loss) -> Loss:
        return TopK(k=self.top) if self.top > 1 and self.task == "classification" else of_rightness(loss)

    def observe(self, state: Votes, decision: Decision, losses: Losses) -> Votes:
        known = {model: loss for model, loss in losses.items() if model in state.tally.models}
        for model, loss in known.items():
            state.tally.add(model, loss)
        if self.task == "classification":
            # Where another policy decided, and asked fewer, the others are missing: they might not have agreed.
            count = self._count(decision.query.available, decision.predictions)
            right = self._right(count.labels, decision.predictions, known)
            if right is not None:
                state.agreement.add(count.among, count.said, right)
        return state

    def blend(self, population: Votes, own: Votes, strength: float) -> Votes:
        return population

    def describe(self, state: Votes) -> dict[str, dict[str, float]]:
        return state.tally.describe([1.0] * len(state.tally.models))

    def _count(self, asked: Sequence[str], predictions: Predictions) -> Count:
        votes: dict[Label, float] = {}
        firsts: dict[Label, int] = {}
        weights: dict[Label, float] = {}
        for model in asked:
            if model not in predictions:
                continue
            prediction = predictions[model]
            firsts[prediction.output] = firsts.get(prediction.output, 0) + 1
            for label, probability in top_labels(prediction, self.top):
                votes[label] = votes.get(label, 0) + 1
                weights[label] = weights.get(label, 0.0) + probability
        if not votes:
            return Count((), 0.0, 0.0)
        most = sorted(votes, key=lambda label: (-votes[label], -weights[label]))[: self.top]
        most.sort(key=lambda label: -firsts.get(label, 0))
        return Count(tuple(most), max(votes.values()) / len(asked), firsts.get(most[0], 0) / len(asked))

    def _right(self, labels: Sequence[Label], predictions: Predictions, losses: Losses) -> float | None:
        """How likely the truth is among `labels`, by who was right; None if that cannot be told."""
        truths: set[Label] | None = None
        others: set[Label] = set()
        for model, prediction in predictions.items():
            if model in losses:
                said = {label for label, _ in top_labels(prediction, self.top)}
                if losses[model] >= WRONG:
                    others |= said
                else:
                    truths = said if truths is None else truths & said
        if truths is None:
            return 0.0 if labels and others.issuperset(labels) else None
        truths -= others
        return len(truths.intersection(labels)) / len(truths) if truths else None


def _middle(asked: Sequence[str], predictions: Predictions) -> Answer:
    """The median of what is a number; confidence is the share of these among all who were asked."""
    outputs = [predictions[model].output for model in asked if model in predictions]
    numbers = [float(output) for output in outputs if not isinstance(output, str)]
    return Answer(median(numbers), len(numbers) / len(asked)) if numbers else Answer(None)
