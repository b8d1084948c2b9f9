"""A policy on the log of an application, as if it had been there: it decides and learns in the order of the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from selector.decisions import Decision, Entry, Feedback, Prediction, Query, Selection
from selector.fold import Fold
from selector.learner import Learner


class Judged(Struct, frozen=True):
    """A decision of the log with its feedback."""

    decision: Decision
    feedback: Feedback

    @property
    def predictions(self) -> dict[str, Prediction]:
        """What is known of what models said: asked, shadow or cached."""
        return {**self.decision.predictions, **self.feedback.joined}

    @property
    def unanswered(self) -> set[str]:
        """Models that were asked, and whose answer did not come in time."""
        asked = {model for selection in self.decision.selections for model in selection.models}
        return asked - set(self.decision.predictions)


class Rehearsal:
    """One policy's course through the log.

    It chooses by its own rules from the predictions that were logged, with a generator of its own, and learns from its
    own decisions when their feedback arrived. With `follow` it takes the logged choices instead: its state is then the
    very state of a server of that policy. `missing` counts choices of models whose prediction the log does not have.
    """

    def __init__(self, fold: Fold, seed: int = 0, *, follow: bool = False) -> None:
        self.policy = fold.policy
        self.follow = follow
        self.missing = 0
        self._fold = fold
        self._rng = Random(seed)  # noqa: S311
        self.population = fold.everyone()
        self._users: dict[str, Learner] = {}
        self._about_application: list[Entry] = []
        self._made: dict[int, Decision] = {}

    def decide(self, judged: Judged) -> Decision:
        """Its decision about a query of the log, kept until the feedback on it is folded."""
        decision = judged.decision if self.follow else self._own(judged)
        self._made[decision.query.id] = decision
        return decision

    def fold(self, entry: Entry) -> None:
        """Learn from the next event, as it bears on its own decisions."""
        if isinstance(entry.event, Feedback) and not self.follow:
            entry = self._about_own(entry, entry.event)
        else:
            for decision in entry.decisions:
                self._made.pop(decision.query.id, None)
        self.population.fold(entry)
        if entry.user is not None and self.policy.per_user:
            self._user(entry.user).fold(entry)
        elif not isinstance(entry.event, Feedback):
            self._about_application.append(entry)
            for learner in self._users.values():
                learner.fold(entry)

    def _about_own(self, entry: Entry, feedback: Feedback) -> Entry:
        """The event as it bears on its own decisions: late predictions of models that it asked are joined."""
        decisions = tuple([self._made.pop(d.query.id, d) for d in entry.decisions])
        if feedback.label is None:  # a reward is about the answer that was given; of another it says nothing
            pairs = zip(decisions, entry.decisions, strict=True)
            decisions = tuple([own for own, logged in pairs if own.answer.output == logged.answer.output])
        asked = {model for d in decisions for selection in d.selections for model in selection.models}
        joined = {model: p for model, p in feedback.joined.items() if model in asked}
        return replace(entry, event=replace(feedback, joined=joined), decisions=decisions)

    def _own(self, judged: Judged) -> Decision:
        logged, known, late = judged.decision, judged.predictions, judged.unanswered
        state, query = self._state(logged.query.user), logged.query
        selections: list[Selection] = []
        predictions: dict[str, Prediction] = {}
        while selection := self.policy.select(
            state, _narrowed(query, logged.selections[len(selections) :]), selections, predictions, self._rng
        ):
            selections.append(selection)
            for model in selection.models:
                if model in known and model not in late:
                    predictions[model] = known[model]
                elif model not in late:
                    self.missing += 1
        answer = self.policy.combine(state, query, selections, predictions)
        if self._fold.certainty is not None:
            answer = self._fold.certainty.judge(self.population.record, answer, predictions)
        return Decision(logged.application, query, logged.at, self.policy.name, tuple(selections), predictions, answer)

    def _state(self, user: str | None) -> Any:
        own = self._users.get(user) if user is not None and self.policy.per_user else None
        return self.population.state if own is None else self.population.met(own)

    def _user(self, user: str) -> Learner:
        if user not in self._users:
            self._users[user] = self._fold.one().fold_all(self._about_application)
        return self._users[user]


def _narrowed(query: Query, rounds: Sequence[Selection]) -> Query:
    """The query with the models that could be asked in the next of the rounds that were logged."""
    available = rounds[0].available if rounds else None
    return query if available is None else replace(query, available=available)


def course(judged: Iterable[Judged], entries: Iterable[Entry]) -> Iterator[Judged | Entry]:
    """Decisions and events in the order of their times, a decision before the event that is about it.

    `judged` is in the order of query ids, `entries` in that of positions. Only the ids of decisions whose event has not
    come yet are held in memory.
    """
    waiting = iter(judged)
    following = next(waiting, None)
    open_ids: set[int] = set()  # decided, their event is to come
    early: set[int] = set()  # decided because their event came, before the order of ids reached them
    for entry in entries:
        while following is not None and following.decision.at <= entry.at:
            if following.decision.query.id in early:
                early.discard(following.decision.query.id)
            else:
                open_ids.add(following.decision.query.id)
                yield following
            following = next(waiting, None)
        for decision in entry.decisions:
            if decision.query.id in open_ids:
                open_ids.discard(decision.query.id)
            elif isinstance(entry.event, Feedback):
                early.add(decision.query.id)
                yield Judged(decision, entry.event)
        yield entry
