"""The log against what clients were promised, and every state against the fold of the whole log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from random import Random
from typing import Any

from feedback_store.contract import Log
from feedback_store.recovery import restore
from selector.decisions import Entry, Feedback
from selector.learner import Learner
from serving.config import ApplicationConfig
from serving.service import fold_key
from tests.benchmarks.ledger import Ledger, Told


class Audit:
    """One application's log, folded from its first entry on as it grows. `checks` counts what was compared.

    Every method yields what is wrong, in words.
    """

    def __init__(self, config: ApplicationConfig, ledger: Ledger) -> None:
        self.config = config
        self.name = config.name
        self.checks = 0
        self.learner = self._newborn(None)
        self._ledger = ledger
        self._joined: dict[int, Feedback] = {}
        self._head = 0

    def read(self, log: Log) -> Iterator[str]:
        """Fold what the log holds beyond what has been read; nothing may be joined twice."""
        for entry in log.entries(self.name, self.learner.position):
            yield from self._joins(entry)
            self.learner.fold(entry)

    def promises(self, log: Log) -> Iterator[str]:
        """Every acknowledged observe is there as it was told; every answered query can be observed."""
        ledger = self._ledger
        for told in ledger.new_acknowledged:
            yield from self._is_joined(told, log)
        for query in ledger.new_answers:
            self.checks += 1
            number = self._number(query, log)
            if number is None or (number not in self._joined and log.decision(self.name, number) is None):
                yield f"{self.name}: query {query} was answered, and is not in the log"
        ledger.new_acknowledged.clear()
        ledger.new_answers.clear()

    def recovered(self, log: Log, users: Sequence[str]) -> Iterator[str]:
        """Snapshot and fold give what the fold of everything gives, for everyone and for some users."""
        yield from self._compare(log, None, self.learner)
        for user in users:
            yield from self._compare(log, user, self._newborn(user).fold_all(log.entries(self.name, user=user)))

    def running(self, state: Mapping[str, Any]) -> Iterator[str]:
        """What the server says of its own state, while nothing comes in, is what the fold of everything gives."""
        self.checks += 1
        ours = (self.learner.position, digest(self.learner))
        theirs = (state["position"], state["digest"])
        if ours != theirs:
            yield f"{self.name}: the server's position and digest are {theirs}, those of the whole log {ours}"

    def anew(self, log: Log) -> Iterator[str]:
        """Read and fold the whole log once more: all that was ever acknowledged is there, and the state is the same."""
        again = Audit(self.config, self._ledger)
        yield from again.read(log)
        for told in set(self._ledger.acknowledged.values()):
            yield from again._is_joined(told, log)
        again.checks += 1
        if again.learner.encode() != self.learner.encode():
            yield f"{self.name}: two folds of the same log differ"
        self.checks += again.checks

    def _joins(self, entry: Entry) -> Iterator[str]:
        if not isinstance(entry.event, Feedback):
            return
        for query in entry.event.queries:
            self.checks += 1
            if query in self._joined:
                yield f"{self.name}: query {query} has been joined twice, again at position {entry.position}"
            self._joined[query] = entry.event

    def _is_joined(self, told: Told, log: Log) -> Iterator[str]:
        for query in told.queries:
            self.checks += 1
            number = self._number(query, log)
            found = None if number is None else self._joined.get(number)
            if found is None:
                yield f"{self.name}: {told} was acknowledged, and is not in the log"
            elif (found.label, found.reward, len(found.queries)) != (told.label, told.reward, len(told.queries)):
                yield f"{self.name}: {told} was acknowledged, and the log has {found}"

    def _compare(self, log: Log, user: str | None, whole: Learner) -> Iterator[str]:
        self.checks += 1
        learner = self._newborn(user)
        restore(log, self.name, user, fold_key(self.config.fold), learner)
        if (learner.position, learner.encode()) != (whole.position, whole.encode()):
            who = "everyone" if user is None else user
            yield f"{self.name}: the recovered state of {who} is not the fold of the whole log"

    def _number(self, query: str, log: Log) -> int | None:
        """The id in the log of a query by its id on the wire."""
        return int(query) if query.isdecimal() else log.query_of(self.name, query)

    def _newborn(self, user: str | None) -> Learner:
        return self.config.fold.everyone() if user is None else self.config.fold.one()


def digest(learner: Learner) -> str:
    """As the server's administration shows it."""
    return blake2b(learner.encode(), digest_size=16).hexdigest()


def some_users(rng: Random, users: int, count: int) -> list[str]:
    """Users to look at more closely."""
    return [f"user-{number}" for number in rng.sample(range(users), count)]
