"""Some users are followed, to learn from them what users' own states are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isinf

from msgspec import Struct, field

from selector.decisions import Decision
from selector.differences import Differences
from selector.policies.leanings import Leanings, Record, freshness
from selector.policies.own_vote import OwnVote
from selector.policies.trust import Trust
from selector.policy import Losses
from selector.pool.opinions import Lesson
from selector.pool.voter import Voter
from selector.seats import seated

ENOUGH = 300
"""Lessons of one user: of five models, the user's own vote has half of the say after 100, if strength is 20."""

_SEATS = 64  # users who are followed at a time: a kilobyte or two each


class Followed(Struct, array_like=True):
    """A user who is followed, what was heard of that user alone, and on how many feedbacks, `lessons`, models differed.

    After enough lessons all else but the tag is forgotten.
    """

    tag: int
    patience: int = 0
    lessons: int = 0
    record: Record = field(default_factory=Record)
    vote: OwnVote = field(default_factory=OwnVote)


class Following(Struct, array_like=True):
    """Those who come most often; `differences` among them; and the `trust` in users' own states learned from them.

    Whoever has given enough lessons is let go, but keeps the seat, so as not to begin anew at once, until others have
    come as often.
    """

    trust: Trust = field(default_factory=Trust)
    differences: Differences = field(default_factory=Differences)
    guests: dict[int, Followed] = {}

    def learn(
        self,
        everyone: Record,
        voters: Sequence[Voter],
        decision: Decision,
        losses: Losses,
        right: Mapping[str, bool],
        lesson: Lesson | None,
    ) -> None:
        """One feedback of a user, in place: what the user's own state would have made of everyone's, then the state."""
        user, models = decision.query.user, everyone.models
        if user is None:
            return
        own = seated(self.guests, _SEATS, user, Followed)
        if own is None:
            return
        if own.lessons >= ENOUGH:
            own.patience -= 1  # as if this user had not come
            return
        if own.record.models != models:  # it begins
            own.record, own.vote = own.record.with_models(models), own.vote.with_models(models)
        if lesson is not None and len(lesson.ballot.labels) > 1:
            own.lessons += 1
            strength = self.differences.strength
            if not isinf(strength):
                leanings = Leanings(everyone, own.record, own.vote, strength, freshness(voters, everyone), self.trust)
                shifts = leanings.shifts(lesson.ballot.labels, lesson.claimed, decision.predictions)
                self.trust.learn(lesson.claimed, *shifts, lesson.known)
        own.record.add(decision.predictions, losses)
        own.vote.learn(decision.predictions, right)
        self.differences.add(user, losses)
        if own.lessons >= ENOUGH:
            own.record, own.vote = Record(), OwnVote()
