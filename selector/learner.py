"""The fold: what a policy knows is a function of the log, computed here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

from msgspec import Struct, msgpack

from selector.decisions import Decision, Entry, Feedback, ModelsChanged, PolicyChanged
from selector.errors import InvalidLabel
from selector.losses import Loss, losses_of
from selector.policy import Losses, Study


class Learner:
    """A state, and the position of the log up to which it has been folded.

    The same class folds everyone's entries and those of a single user; which entries it is
    given is the caller's choice. The fold is total: an entry that the loss cannot take is counted
    in `skipped` and changes nothing else; at one at which the policy raises the caller goes back to a state from
    before, and skips it. `models` are those of the last ModelsChanged,
    `announced` is the policy of the last PolicyChanged. No clock, cache or random generator is read.
    """

    def __init__(self, policy: Study[Any], loss: Loss) -> None:
        self.policy: Study[Any] = policy
        self.loss = loss
        self.state: Any = policy.initial_state(())
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
                self._learn(entry.event, entry.decisions)
            case ModelsChanged(models):
                self.models = models
                self.state = self.policy.with_models(self.state, models)
            case PolicyChanged(policy):
                self.announced = policy

    def fold_all(self, entries: Iterable[Entry]) -> Self:
        """Fold entries in the order of their positions."""
        for entry in entries:
            self.fold(entry)
        return self

    def skip(self, entry: Entry) -> None:
        """Pass over an entry that the policy cannot take."""
        self.position = entry.position
        self.skipped += 1

    def _learn(self, feedback: Feedback, decisions: Sequence[Decision]) -> Sequence[tuple[Decision, Losses]]:
        """What was learned from: each decision with its losses."""
        loss = self.policy.judged_by(self.loss)
        try:
            scored = [(decision, losses_of(decision, feedback, loss)) for decision in decisions]
        except InvalidLabel:
            self.skipped += 1
            return ()
        for decision, losses in scored:
            self.state = self.policy.observe(self.state, decision, losses)
        return scored

    def encode(self) -> bytes:
        """All that has been folded, but for the position: equal folds give equal bytes."""
        state = self.policy.encode(self.state)
        return msgpack.encode(_Folded(self.models, self.announced, self.skipped, state))

    def restore(self, data: bytes, position: int) -> None:
        """Take up what `encode` gave when the fold stood at `position`. Raises msgspec.DecodeError on other bytes."""
        folded = msgpack.decode(data, type=_Folded)
        self.state = self.policy.decode(folded.state)
        self.models, self.announced = folded.models, folded.announced
        self.skipped, self.position = folded.skipped, position


class _Folded(Struct, frozen=True, array_like=True):
    models: tuple[str, ...]
    announced: str
    skipped: int
    state: bytes
