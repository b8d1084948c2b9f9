"""The fold: what a policy knows is a function of the log, computed here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, msgpack

from selector.certainty import Certainty, Record
from selector.decisions import Entry, Feedback, ModelsChanged, PolicyChanged
from selector.errors import InvalidLabel
from selector.losses import Loss, losses_of
from selector.policy import Policy


class Learner:
    """A state, and the position of the log up to which it has been folded.

    The same class folds the population's entries and those of a single user; which entries it is
    given is the caller's choice. The fold is total: an entry that the loss cannot take is counted
    in `skipped` and changes nothing else. `models` are those of the last ModelsChanged,
    `announced` is the policy of the last PolicyChanged. `record` is what the `certainty` of answers rests on, those
    of the last policy. No clock, cache or random generator is read.
    """

    def __init__(self, policy: Policy[Any], loss: Loss, certainty: Certainty | None = None) -> None:
        self.policy = policy
        self.loss = loss
        self.certainty = certainty
        self.state: Any = policy.initial_state(())
        self.record = Record()
        self.models: tuple[str, ...] = ()
        self.announced = ""
        self.position = 0
        self.skipped = 0

    def fold(self, entry: Entry) -> None:
        """Fold one entry; entries at or before `position` are already part of the state and are ignored."""
        if entry.position <= self.position:
            return
        self.position = entry.position
        match entry.event:
            case Feedback():
                self._learn(entry, entry.event)
            case ModelsChanged(models):
                self.models = models
                self.state = self.policy.with_models(self.state, models)
            case PolicyChanged(policy):
                self.announced, self.record = policy, Record()

    def fold_all(self, entries: Iterable[Entry]) -> Learner:
        """Fold entries in the order of their positions."""
        for entry in entries:
            self.fold(entry)
        return self

    def _learn(self, entry: Entry, feedback: Feedback) -> None:
        try:
            scored = [(decision, losses_of(decision, feedback, self.loss)) for decision in entry.decisions]
        except InvalidLabel:
            self.skipped += 1
            return
        for decision, losses in scored:
            self.state = self.policy.observe(self.state, decision, losses)
            if self.certainty is not None:
                self.record = self.certainty.observe(self.record, decision, feedback, self.loss)

    def encode(self) -> bytes:
        """All that has been folded, but for the position: equal folds give equal bytes."""
        state = self.policy.encode(self.state)
        record = None if self.certainty is None else self.record
        return msgpack.encode(_Folded(self.models, self.announced, self.skipped, state, record))

    def restore(self, data: bytes, position: int) -> None:
        """Take up what `encode` gave when the fold stood at `position`. Raises msgspec.DecodeError on other bytes."""
        folded = msgpack.decode(data, type=_Folded)
        self.state = self.policy.decode(folded.state)
        self.models, self.announced = folded.models, folded.announced
        self.skipped, self.position = folded.skipped, position
        self.record = folded.record or Record()


class _Folded(Struct, frozen=True, array_like=True):
    models: tuple[str, ...]
    announced: str
    skipped: int
    state: bytes
    record: Record | None
