"""What an application's policy knows: the fold of its log, for everyone and for each user, with snapshots."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import Any

from msgspec import Struct, json

from feedback_store.contract import Applied, Log, Pending, Snapshot
from feedback_store.recovery import restore
from feedback_store.writer import Writer
from selector.decisions import Answer, Entry, PolicyChanged
from selector.errors import WindjammerError
from selector.fold import Fold
from selector.learner import Learner
from selector.personalization import Users
from selector.policy import Predictions
from selector.population import Population
from serving.errors import CannotAdopt
from serving.hooks import Hooks

logger = logging.getLogger(__name__)

USERS = 10_000
SNAPSHOT_EVERY = 2_000
"""Entries between snapshots: what a restart has to fold at most."""
USER_SNAPSHOT_EVERY = 200
"""Entries of one user that are worth a snapshot: what a later load need not fold again."""


class Adoption(Struct, frozen=True):
    """A change of the policy: the event that is to say so, the new fold with its key, and a snapshot to start from."""

    change: PolicyChanged
    fold: Fold
    fold_key: str
    snapshot: Snapshot


class Knowledge:
    """The population's learner and those of the users seen last.

    `fold_key` names the fold: snapshots of another fold are not found, and
    the history is folded again.
    """

    def __init__(self, application: str, fold: Fold, hooks: Hooks, writer: Writer, fold_key: str) -> None:
        self.application = application
        self.policy = fold.policy
        self.certainty = fold.certainty
        self.hooks = hooks
        self.fold_key = fold_key
        self.population = fold.everyone()
        self.users = Users(USERS)
        self._fold = fold
        self._writer = writer
        self._saved = 0
        self._broken = False  # the states are not to be trusted
        self._missed: list[Entry] | None = None  # while they are folded again

    def recover(self, log: Log) -> int:
        """Fold what the log holds, from the newest snapshot on; how many entries that took."""
        folded = restore(log, self.application, None, self.fold_key, self.population)
        self._saved = self.population.position
        return folded

    def state_for(self, user: str | None) -> Any:
        """The state that answers this user: the population's, as long as the user's own is not in memory."""
        if user is None or not self.policy.per_user:
            return self.population.state
        own = self.users.get(user)
        return self.population.state if own is None else self.met(own)

    def load(self, user: str | None) -> None:
        """Bring a user's own state into memory, if it is not there.

        To be called when the user has been answered: reading the log competes with whatever is under way.
        """
        users = self.users
        if user is None or not self.policy.per_user or users.get(user) is not None or not users.begin_load(user):
            return

        def done(result: Learner | WindjammerError) -> None:
            if isinstance(result, WindjammerError):
                users.fail_load(user)
                self._report(result)
            else:
                users.end_load(user, result)

        self.look_up(user, done)

    def met(self, own: Learner) -> Any:
        """The state that answers a user, whose `own` learner is known."""
        return self.hooks.met(self.population.state, own.state, partial(self.population.met, own))

    def judge(self, combined: Answer, predictions: Predictions) -> Answer:
        """The answer combined from `predictions`, with what is known of such answers."""
        if self.certainty is None:
            return combined
        return self.certainty.judge(self.population.record, combined, predictions)

    def describe(self) -> dict[str, Any]:
        """What the population's policy knows, for people: by model, and how far the log has been folded."""
        population = self.population
        certainty = {} if self.certainty is None else {"certainty": self.certainty.describe(population.record)}
        return {
            "policy": json.decode(self.policy.settings),
            "position": population.position,
            "digest": blake2b(population.encode(), digest_size=16).hexdigest(),
            "skipped": population.skipped,
            **certainty,
            "models": self.policy.describe(population.state),
        }

    def fold(self, entry: Entry) -> None:
        """Learn from an entry that is durable; entries must come in the order of their positions.

        A policy that raises leaves a state that nobody can vouch for: all states are then folded again from the log,
        without the entry if it raises there again; and a snapshot is taken, so that this need not be repeated.
        """
        if self._missed is not None:
            self._missed.append(entry)
        elif self._broken or not self._learned(entry):
            self._fold_again(entry)
        elif entry.position - self._saved >= SNAPSHOT_EVERY:
            self.save()

    def save(self) -> None:
        """Take a snapshot of the population's state, if there is anything new."""
        population = self.population
        if population.position == self._saved or self._broken:
            return
        self._saved = population.position
        snapshot = self._snapshot(population, None)
        self._writer.call(lambda log: log.save([snapshot]), self._report)

    def adopt(self, adoption: Adoption, at: float, done: Callable[[WindjammerError | None], None]) -> None:
        """Append the change of policy, and know from then on what the new fold makes of the log.

        `done` hears when that is so, or why it is not: then nothing has changed.
        """
        if self._missed is not None or self._broken:
            done(CannotAdopt(f"application {self.application}: what it knows is being folded anew; try again"))
            return
        self._missed = []

        def settle(result: Population | WindjammerError) -> None:
            missed, self._missed = self._missed or [], None
            error = result if isinstance(result, WindjammerError) else None
            if isinstance(result, Population):
                self._fold, self.fold_key = adoption.fold, adoption.fold_key
                self.policy, self.population, self.users, self._saved = result.policy, result, Users(USERS), 0
                self.save()
            for entry in missed:
                self.fold(entry)
            done(error)

        self._writer.call(partial(self._changed, adoption, at), settle)

    def look_up(self, user: str, done: Callable[[Learner | WindjammerError], None]) -> None:
        """What the log says of one user, whether it is in memory or not."""
        self._writer.call(partial(self._read, user), done)

    def _learned(self, entry: Entry) -> bool:
        try:
            self.population.fold(entry)
            self.users.fold(entry)
        except Exception:
            logger.exception("application %s: policy %s cannot learn", self.application, self.policy.name)
            return False
        return True

    def _fold_again(self, entry: Entry) -> None:
        self._broken, self._missed, self.users = True, [entry], Users(USERS)

        def done(result: Learner | WindjammerError) -> None:
            missed, self._missed = self._missed or [], None
            if isinstance(result, WindjammerError):
                self._report(result)
                return
            assert isinstance(result, Population)
            self.population, self._broken = result, False
            self.save()
            for entry in missed:
                self.fold(entry)

        self._writer.call(partial(self._read, None), done)

    def _read(self, user: str | None, log: Log) -> Learner:
        """The fold up to the end of the log, on the writer's thread."""
        learner = self._fold.everyone() if user is None else self._fold.one()
        folded = restore(log, self.application, user, self.fold_key, learner)
        if user is not None and folded >= USER_SNAPSHOT_EVERY:
            log.save([self._snapshot(learner, user)])
        return learner

    def _changed(self, adoption: Adoption, at: float, log: Log) -> Population:
        """The new fold up to the change, which is the last thing that is done: on the writer's thread."""
        learner = adoption.fold.everyone()
        log.save([adoption.snapshot])
        restore(log, self.application, None, adoption.fold_key, learner)
        (outcome,) = log.commit([], [Pending(self.application, None, at, adoption.change)])
        assert isinstance(outcome, Applied)
        learner.fold(outcome.entry)
        return learner

    def _snapshot(self, learner: Learner, user: str | None) -> Snapshot:
        return Snapshot(self.application, user, self.fold_key, learner.position, learner.encode())

    def _report(self, result: object) -> None:
        if isinstance(result, WindjammerError):
            logger.warning("application %s: the store did not answer: %s", self.application, result)
