"""Some users are followed, to learn from them what users' own states are worth."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf

from msgspec import Struct, field

from selector.decisions import Decision
from selector.differences import Differences
from selector.policies.leanings import Leanings, Record, freshness
from selector.policies.own_record import OwnRecord, OwnRecords
from selector.policies.trust import Trust
from selector.policy import Losses
from selector.pool.opinions import Lesson
from selector.pool.voter import Voter
from selector.seats import seated

_SEATS = 64  # users who are followed at a time: a kilobyte or two each
_ENOUGH = 100  # lessons: half of the say is the own vote's by then, of five models, if users make a 20th of variance


class Followed(Struct, array_like=True):
    """A user who is followed, what that user's own state is, and how many `lessons` it gave: models differed.

    After enough of them `own` is None.
    """

    tag: int
    patience: int
    own: OwnRecord | None
    lessons: int = 0


class Following(Struct, array_like=True):
    """Those who come most often; `differences` among them; and the `trust` in users' own states learned from them.

    Whoever has been followed for long enough is let go: the seat is kept, so that it does not begin again at once, but
    no longer than others are patient.
    """

    trust: Trust = field(default_factory=Trust)
    differences: Differences = field(default_factory=Differences)
    guests: dict[int, Followed] = {}

    def learn(
        self,
        personal: OwnRecords,
        everyone: Record,
        voters: Sequence[Voter],
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
        if own is None:
            guest.patience -= 1  # as if it had not come
            return
        if lesson is not None and len(lesson.ballot.labels) > 1:
            guest.lessons += 1
            if not isinf(strength):
                leanings = Leanings(everyone, own.record, own.vote, strength, freshness(voters, everyone), self.trust)
                shifts = leanings.shifts(lesson.ballot.labels, lesson.claimed, decision.predictions)
                self.trust.learn(lesson.claimed, *shifts, lesson.known)
        guest.own = personal.observe(own, decision, losses) if guest.lessons < _ENOUGH else None
        self.differences.add(user, losses)
