"""What the ensemble keeps of one user: a few numbers for each model, where everyone's state has a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from msgspec import Struct, field

from selector.decisions import Decision
from selector.losses import Loss, of_rightness
from selector.policies.leanings import WRONG, Record
from selector.policies.own_vote import OwnVote
from selector.policies.tally import Tally
from selector.policies.weights import Weights
from selector.policy import Losses, Study, Task


class OwnRecord(Struct, array_like=True):
    """Models' weights by one user's feedback, how often each was right, and the vote learned from that."""

    weights: Weights = field(default_factory=lambda: Weights(Tally()))
    record: Record = field(default_factory=Record)
    vote: OwnVote = field(default_factory=OwnVote)


class OwnRecords(Study[OwnRecord], frozen=True, kw_only=True):
    """Counts who was right, and learns weights by steps of `learning_rate`, with fixed share (`share`).

    In regression the weights are all.
    """

    state_type: ClassVar[type] = OwnRecord

    learning_rate: float
    share: float
    task: Task = "classification"

    def initial_state(self, models: Sequence[str]) -> OwnRecord:
        return self.with_models(OwnRecord(), models)

    def with_models(self, state: OwnRecord, models: Sequence[str]) -> OwnRecord:
        weights, record = state.weights.with_models(models), state.record.with_models(models)
        return OwnRecord(weights, record, state.vote.with_models(models))

    def judged_by(self, loss: Loss) -> Loss:
        return of_rightness(loss)

    def observe(self, state: OwnRecord, decision: Decision, losses: Losses) -> OwnRecord:
        state.weights.learn_all(losses, self.learning_rate, self.share, decision.query.available)
        if self.task == "classification":
            state.record.add(decision.predictions, losses)
            state.vote.learn(decision.predictions, {model: loss < WRONG for model, loss in losses.items()})
        return state

    def encode(self, state: OwnRecord) -> bytes:
        """As it is: keys that are no strings cannot be sorted, but equal folds insert them in equal order."""
        return msgspec.msgpack.encode(state)

    def describe(self, state: OwnRecord) -> dict[str, dict[str, float]]:
        """The weight of a model is that of an exponential-weights vote."""
        tally = state.weights.tally
        return tally.describe(state.weights.of(tally.models))
