"""Some users are followed, to learn from them what users' own states are worth."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf

from msgspec import Struct, field

from selector.decisions import Decision
from selector.differences import Differences
from selector.policies.leanings import Leanings, Record
from selector.policies.own_record import OwnRecord, OwnRecords
from selector.policies.trust import Trust
from selector.policy import Losses
from selector.pool.opinions import Lesson
from selector.seats import seated

_SEATS = 64  # users who are followed at a time: a kilobyte or two each


class Followed(Struct, array_like=True):
    """A user who is followed, and what that user's own state is."""

    tag: int
    patience: int
    own: OwnRecord


class Following(Struct, array_like=True):
    """Those who come most often; `differences` among them; and the `trust` in users' own states learned from them."""

    trust: Trust = field(default_factory=Trust)
    differences: Differences = field(default_factory=Differences)
    guests: dict[int, Followed] = {}

    def learn(
        self,
        personal: OwnRecords,
        everyone: Record,
        fresh: Sequence[float],
        decision: Decision,
        losses: Losses,
        lesson: Lesson | None,
    ) -> None:
        """One feedback of a user, in place: what the user's own state would have made of everyone's, then the state."""
        user = decision.query.user
        if user is None:
            return
        guest = seated(self.guests, _SEATS, user, lambda tag: Followed(tag, 0, personal.initial_state(everyone.models)))
        if guest is None:
            return
        own, strength = guest.own, self.differences.strength
        if lesson is not None and len(lesson.ballot.labels) > 1 and not isinf(strength):
            leanings = Leanings(everyone, own.record, own.vote, strength, fresh, self.trust)
            shifts = leanings.shifts(lesson.ballot.labels, lesson.claimed, decision.predictions)
            self.trust.learn(lesson.claimed, *shifts, lesson.known)
        guest.own = personal.observe(own, decision, losses)
        self.differences.add(user, losses)
