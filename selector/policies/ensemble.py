"""The learned ensemble: asks all models, pools what they say, and knows how likely its answer is right."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isinf
from random import Random
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from selector.calibration import Calibration
from selector.decisions import Answer, Decision, Query, Selection
from selector.losses import Loss, of_rightness
from selector.policies.following import Following
from selector.policies.leanings import WRONG, Leanings, Record, freshness
from selector.policies.own_record import OwnRecord, OwnRecords
from selector.policies.precedence import Precedence
from selector.policies.tally import Tally
from selector.policies.vote import everyone, weighted_mean
from selector.policies.weights import Weights
from selector.policy import LearnsFrom, Losses, Policy, Predictions, Selections
from selector.pool import Pool
from selector.pool.ballot import Ballot
from selector.pool.opinions import Lesson, best

_CERTAIN = (0.0, 1.0)


class EnsembleState(Struct, array_like=True):
    """Models' weights; the pool of classifiers, and whether its answer goes before the weighted vote's; calibration
    where all models answered, and where some did not.

    `record` is how often they were right since the first user came, which a user's own is held against; by `following`
    some users it is learned what that is worth; `leanings` is what came of it, in the state that answers a user.
    """

    weights: Weights = field(default_factory=lambda: Weights(Tally()))
    pool: Pool = field(default_factory=Pool)
    precedence: Precedence = field(default_factory=Precedence)
    complete: Calibration = field(default_factory=Calibration)
    partial: Calibration = field(default_factory=Calibration)
    record: Record = field(default_factory=Record)
    following: Following = field(default_factory=Following)
    leanings: Leanings | None = None


class Ensemble(Policy[EnsembleState], frozen=True, kw_only=True, tag="ensemble"):
    """Asks all models and answers the label that is most likely right, with the calibrated probability that it is.

    A pool of the models' labels, scores and distributions is learned from feedback, first by who can be trusted when,
    then by what each label of each model means; a model whose accuracy changes is learned anew. Beside it stands the
    vote by exponential weights (`learning_rate`) with fixed share (`share`), in which a model that has changed weighs
    as much as the best of the others, until its next errors tell: whoever was right of late where the two differed
    answers, so that a pool that has much to learn anew costs little. Confidence is the pool's,
    calibrated online, apart for queries where all models answered and for those where some did not: what is missing
    costs what it has turned out to be worth. A loss below one half counts as
    right; a reward teaches as far as it tells who was right. For a user the pool's chances of labels that differ are
    shifted to the models, and labels of theirs, that are more often right there than elsewhere. In regression the
    answer is the mean by the exponential weights, confidence the share of weight that arrived.

    >>> from selector.decisions import Prediction, Query, Selection
    >>> policy = Ensemble()
    >>> query = Query(id=1, available=("cnn", "forest", "svm"))
    >>> said = {"cnn": Prediction("cat", score=0.9), "forest": Prediction("dog"), "svm": Prediction("dog")}
    >>> policy.combine(policy.initial_state(query.available), query, [Selection(query.available, 1.0)], said).output
    'dog'
    """

    state_type: ClassVar[type] = EnsembleState
    learns_from: ClassVar[LearnsFrom] = "labels"

    learning_rate: Annotated[float, Meta(gt=0)] = 0.2
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.01

    def initial_state(self, models: Sequence[str]) -> EnsembleState:
        return self.with_models(EnsembleState(), models)

    def with_models(self, state: EnsembleState, models: Sequence[str]) -> EnsembleState:
        weights, pool = state.weights.with_models(models), state.pool.with_models(models)
        record = state.record.with_models(models)
        same = record.models == state.record.models
        following = state.following if same else Following(state.following.trust)  # others are soon followed
        return EnsembleState(weights, pool, state.precedence, state.complete, state.partial, record, following)

    def select(
        self, state: EnsembleState, query: Query, selections: Selections, predictions: Predictions, rng: Random
    ) -> Selection | None:
        return everyone(query, selections)

    def combine(self, state: EnsembleState, query: Query, selections: Selections, predictions: Predictions) -> Answer:
        if self.task == "regression":
            asked = selections[0].models if selections else ()
            return weighted_mean(asked, state.weights.logs_of(asked), predictions)
        if not predictions:
            return Answer(None)
        pool = state.pool
        ballot = pool.ballot(predictions)
        if len(ballot.votes) < len(predictions):  # someone answered who is not known, and has just joined
            pool = pool.with_models([*pool.models, *predictions])
            ballot = pool.ballot(predictions)
        chances = pool.opinions(ballot).mixed
        answer, personal = best(chances), False
        if state.leanings is not None and len(ballot.labels) > 1:
            pooled, chances = answer, state.leanings.leant(ballot.labels, chances, predictions)
            answer = best(chances)
            personal = answer != pooled  # a user's own record outweighs everyone's vote
        if not personal and not state.precedence.always_first:
            voted = _vote(state.weights.logs_of(pool.models), ballot)
            answer = answer if state.precedence.prefers_first(chances[answer], chances[voted]) else voted
        return Answer(ballot.labels[answer], _calibration(state, query, predictions)(chances[answer]))

    def judged_by(self, loss: Loss) -> Loss:
        return of_rightness(loss)

    def observe(self, state: EnsembleState, decision: Decision, losses: Losses) -> EnsembleState:
        weights, pool = state.weights, state.pool
        changed: list[int] = []
        if self.task == "classification":
            right = {}
            for model in pool.models:
                if model in losses:
                    right[model] = losses[model] < WRONG
            if right:
                lesson, changed = pool.learn(decision.predictions, right)
                if lesson is not None:
                    self._compare(state, decision, lesson)
                if decision.query.user is not None:
                    state.following.learn(state.record, pool.voters, decision, losses, right, lesson)
            if decision.query.user is not None or state.following.guests:  # before any user comes nobody needs it
                state.record.add(decision.predictions, losses)
        weights.learn_all(losses, self.learning_rate, self.share, decision.query.available)
        if changed:
            state.precedence.hold_back()
        for i in changed:
            weights.reweigh(pool.models[i], 0.0, 0.0, self.learning_rate)
        return state

    def _compare(self, state: EnsembleState, decision: Decision, lesson: Lesson) -> None:
        """The pool's answer and the vote's, as they were before this lesson, in place."""
        claimed, known = lesson.claimed, lesson.known
        answer = pooled = best(claimed)
        if len(lesson.ballot.labels) > 1:
            voted = _vote(state.weights.logs, lesson.ballot)
            if voted != pooled:
                ours, theirs = claimed[pooled], claimed[voted]
                if not state.precedence.prefers_first(ours, theirs):
                    answer = voted
                if {known[pooled], known[voted]} == {0.0, 1.0}:
                    right = known[pooled] == 1.0
                    state.precedence.learn(ours, theirs, right, self.learning_rate, self.share)
        if known[answer] in _CERTAIN:
            _calibration(state, decision.query, decision.predictions).add(claimed[answer], known[answer] == 1.0)

    def blend(self, population: EnsembleState, own: OwnRecord, strength: float) -> EnsembleState:
        if isinf(strength):
            return population
        weights = population.weights.blend(own.weights, strength, self.learning_rate, self.share)
        if self.task == "classification":
            weights.logs = population.weights.logs  # who votes after a change must not remember what was before it
        everyone = population.record
        if own.record.models != everyone.models:
            own = self.personal.with_models(own, everyone.models)
        fresh = freshness(population.pool.voters, everyone)
        leanings = Leanings(everyone, own.record, own.vote, strength, fresh, population.following.trust)
        return replace(population, weights=weights, leanings=leanings)

    @property
    def personal(self) -> OwnRecords:
        return OwnRecords(learning_rate=self.learning_rate, share=self.share, task=self.task)

    def encode(self, state: EnsembleState) -> bytes:
        """As it is: keys that are no strings cannot be sorted, but equal folds insert them in equal order."""
        return msgspec.msgpack.encode(state)

    def describe(self, state: EnsembleState) -> dict[str, dict[str, float]]:
        """The weight of a classifier is its odds of being right, as a share of all."""
        tally = state.weights.tally
        if self.task == "regression":
            return tally.describe(state.weights.of(tally.models))
        leanings = [0.0] * len(tally.models) if state.leanings is None else state.leanings.of_models()
        voters = zip(state.pool.voters, leanings, strict=True)
        return tally.describe([exp(voter.accuracy.log_odds + leaning) for voter, leaning in voters])


def _vote(logs: Sequence[float], ballot: Ballot) -> int:
    """The candidate with the most weight; `logs` are log weights, aligned with the models of the ballot."""
    if len(ballot.labels) == 1:
        return 0
    weights = [0.0] * len(ballot.labels)
    for i, vote, _, _ in ballot.votes:
        weights[vote] += exp(logs[i])
    return weights.index(max(weights))


def _calibration(state: EnsembleState, query: Query, predictions: Predictions) -> Calibration:
    """That of queries where all who could be asked have answered, or that of those where some have not."""
    return state.complete if len(predictions) >= len(query.available) else state.partial
