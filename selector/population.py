"""The fold of everybody's entries: beside the policy's state, what answers are worth and how much users differ."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any
from zlib import crc32

from msgspec import Struct, msgpack

from selector.certainty import Certainty, Record
from selector.decisions import Decision, Entry, Feedback, HealthChanged, ModelsChanged, PolicyChanged
from selector.differences import Differences
from selector.health.standing import Standing, kept, with_change
from selector.learner import Learner
from selector.losses import Loss
from selector.policy import Losses, Policy


class Population(Learner):
    """A learner that is given all entries of an application.

    `record` is what the `certainty` of answers rests on, those of the last policy. `differences` tells what its state
    is worth to a user. Of feedbacks that follow each other at most a share `influence` of one user's is learned, for
    everyone, that is: so nobody can bend what everyone gets. `teachers` are the users (hashed) learned from last.
    `health` has the standing of every model of which a HealthChanged told; it is replaced, never changed.
    """

    policy: Policy[Any]

    def __init__(
        self, policy: Policy[Any], loss: Loss, certainty: Certainty | None = None, influence: float = 1.0
    ) -> None:
        super().__init__(policy, loss)
        self.certainty = certainty
        self.influence = influence
        self.record = Record()
        self.differences = Differences()
        self.teachers: list[int] = []
        self.health: dict[str, Standing] = {}

    def fold(self, entry: Entry) -> None:
        """Fold one entry, as `Learner` does."""
        if entry.position > self.position:
            if isinstance(entry.event, PolicyChanged):
                self.record = Record()
            elif isinstance(entry.event, ModelsChanged):
                self.differences.keep(entry.event.models)
                self.health = kept(self.health, entry.event.models)
            elif isinstance(entry.event, HealthChanged):
                self.health = kept(with_change(self.health, entry.event, entry.at), self.models)
        super().fold(entry)

    def met(self, own: Learner) -> Any:
        """The state that answers a user, whose `own` learner has folded that user's entries."""
        return self.policy.blend(self.state, own.state, self.differences.strength)

    def encode(self) -> bytes:
        """All that has been folded, but for the position: equal folds give equal bytes."""
        return msgpack.encode(_Everyone(super().encode(), self.record, self.differences, self.teachers, self.health))

    def restore(self, data: bytes, position: int) -> None:
        """Take up what `encode` gave when the fold stood at `position`. Raises msgspec.DecodeError on other bytes."""
        everyone = msgpack.decode(data, type=_Everyone)
        super().restore(everyone.learner, position)
        self.record, self.differences, self.teachers = everyone.record, everyone.differences, everyone.teachers
        self.health = everyone.health

    def _learn(self, feedback: Feedback, decisions: Sequence[Decision]) -> Sequence[tuple[Decision, Losses]]:
        if self.influence < 1.0 and decisions and not self._may_teach(decisions[0].query.user):
            return ()
        scored = super()._learn(feedback, decisions)
        for decision, losses in scored:
            if self.certainty is not None:
                self.record = self.certainty.observe(self.record, decision, feedback, self.loss)
            if decision.query.user is not None and self.policy.per_user:
                self.differences.add(decision.query.user, losses)
        return scored

    def _may_teach(self, user: str | None) -> bool:
        """Not if the user is among those of the last 1 / influence - 1 feedbacks learned from."""
        if user is None:
            return True
        tag, others = crc32(user.encode()), ceil(1.0 / self.influence) - 1
        if tag in self.teachers:
            return False
        self.teachers = [*self.teachers, tag][-others:]
        return True


class _Everyone(Struct, frozen=True, array_like=True):
    learner: bytes
    record: Record
    differences: Differences
    teachers: list[int]
    health: dict[str, Standing] = {}
