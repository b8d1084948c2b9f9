"""A candidate that learns, on a log that shows the reward of one action a decision: replay by rejection sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
from msgspec import Struct

from selector.decisions import Answer, Decision, Entry, Feature, Feedback, ModelsChanged, Prediction, Query, Selection
from selector.learner import Learner
from selector.losses import Absolute, Loss, ZeroOne
from selector.policies.single import Single
from selector.policy import Policy
from selector.population import Population
from selector.replay.errors import InvalidCandidate
from selector.replay.logged import Floats
from selector.replay.source import Part


class Chosen(Struct, frozen=True):
    """A candidate's probabilities [n, k] for some decisions, and which [n] of them rejection sampling keeps, 1 or 0."""

    chances: Floats
    accepted: Floats


class Rejection:
    """Folds into a policy those of the logged decisions that it might have made, as if it had made them.

    A row is accepted with chance c pi(a) / mu(a), so that what is accepted is distributed as the candidate's own
    decisions, whatever the logging policy; c = `least` should be the log's least probability. After each, the
    candidate is another: of n rows it has learned from about c n, and every row, accepted or not, estimates what it
    would have earned then. It learns from rewards as shares of the range that `bounds` gives. Dudik, Erhan, Langford,
    Li: Sample-efficient nonstationary policy evaluation for contextual bandits (UAI 2012). Li, Chu, Langford, Wang
    (WSDM 2011) is the case of a uniform log.
    """

    def __init__(
        self,
        name: str,
        policy: Policy[Any],
        actions: Sequence[str],
        least: float,
        seed: int,
        bounds: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        if not isinstance(policy, Single):
            raise InvalidCandidate(
                f"candidate {name!r}: {policy.name} asks several models at once, or tells no chances, and this log "
                "has the outcome of one action a decision; replay it on a log that has all predictions and labels"
            )
        self.policy: Single[Any] = policy
        self.accepted = 0
        self.actions = tuple(sorted(actions))
        self._columns = [self.actions.index(action) for action in actions]
        self._names = list(actions)
        self._least, self._bounds = least, bounds
        self._draws = np.random.default_rng([seed, 4])
        self._loss: Loss = ZeroOne() if policy.task == "classification" else Absolute()
        self._learner = Population(policy, self._loss)
        self._users: dict[str, Learner] = {}
        self._learner.fold(self._models())
        self._position, self._rows = 1, 0

    @property
    def learner(self) -> Population:
        """The population's."""
        return self._learner

    def choose(self, part: Part) -> Chosen:
        """Decide and learn through the next part of the log."""
        personal = self.policy.per_user and part.names is not None
        if self.policy.contextual and not part.contexts and part.names is None:
            raise InvalidCandidate(f"{self.policy.name} chooses by context, and the log has no contexts")
        thresholds = (self._draws.random(len(part)) * part.probabilities / self._least).tolist()
        step = self._each if personal or self.policy.contextual else self._between
        chosen = step(part, thresholds)
        self._rows += len(part)
        return chosen

    def _between(self, part: Part, thresholds: list[float]) -> Chosen:
        """Queries are all alike: the distribution changes only with what is learned."""
        rewards = part.rewards.tolist()
        current = self._distribution(self._query(0, None, {}))
        known, since, accepted = [current], [0], np.zeros(len(part))
        for i, (action, threshold) in enumerate(zip(part.actions.tolist(), thresholds, strict=True)):
            if threshold < current[action]:
                query = self._query(self._rows + i, None, {})
                self._learn(query, action, current[action], rewards[i])
                current = self._distribution(query)
                known.append(current)
                since.append(i + 1)
                accepted[i] = 1.0
        return Chosen(np.repeat(np.array(known), np.diff([*since, len(part)]), axis=0), accepted)

    def _each(self, part: Part, thresholds: list[float]) -> Chosen:
        rewards, actions, accepted, known = part.rewards.tolist(), part.actions.tolist(), np.zeros(len(part)), []
        users = [None] * len(part) if part.names is None else [str(user) for user in part.names.tolist()]
        rows = _features(part)
        for i, (action, threshold) in enumerate(zip(actions, thresholds, strict=True)):
            query = self._query(self._rows + i, users[i], rows[i])
            current = self._distribution(query)
            known.append(current)
            if threshold < current[action]:
                self._learn(query, action, current[action], rewards[i])
                accepted[i] = 1.0
        return Chosen(np.array(known), accepted)

    def _query(self, number: int, user: str | None, features: Mapping[str, Feature]) -> Query:
        return Query(number, self.actions, user, dict(features))

    def _distribution(self, query: Query) -> list[float]:
        chances = self.policy.chances(self._state(query.user), query)
        total = sum(chances)
        return [chances[j] / total for j in self._columns]

    def _state(self, user: str | None) -> Any:
        own = None if user is None or not self.policy.per_user else self._users.get(user)
        return self._learner.state if own is None else self._learner.met(own)

    def _learn(self, query: Query, action: int, probability: float, reward: float) -> None:
        name, (low, high) = self._names[action], self._bounds
        selection = (Selection((name,), probability),)
        decision = Decision("", query, 0.0, self.policy.name, selection, {name: Prediction(name)}, Answer(name))
        self._position += 1
        feedback = Feedback((query.id,), reward=(reward - low) / (high - low))
        entry = Entry(self._position, "", query.user, 0.0, feedback, (decision,))
        self._learner.fold(entry)
        self.accepted += 1
        if query.user is not None and self.policy.per_user:
            self._own(query.user).fold(entry)

    def _own(self, user: str) -> Learner:
        if user not in self._users:
            self._users[user] = Learner(self.policy.personal, self._loss).fold_all([self._models()])
        return self._users[user]

    def _models(self) -> Entry:
        return Entry(1, "", None, 0.0, ModelsChanged(self.actions))


def constant(name: str, policy: Policy[Any], actions: Sequence[str]) -> Floats:
    """[k] probabilities of a policy that learns nothing and asks one model. Raises InvalidCandidate."""
    names = tuple(sorted(actions))
    query = Query(0, names)
    selection = policy.select(policy.initial_state(names), query, [], {}, Random(0))  # noqa: S311
    if selection is None:
        raise InvalidCandidate(f"candidate {name!r}: {policy.settings} chooses none of {', '.join(names)}")
    if len(selection.models) > 1 or selection.probability < 1:
        raise InvalidCandidate(
            f"candidate {name!r}: {policy.name} asks several models at once, and this log has the outcome of one "
            "action a decision; replay it on a log that has all predictions and labels"
        )
    return np.array([float(action == selection.models[0]) for action in actions])


def _features(part: Part) -> list[dict[str, Feature]]:
    columns = {name: column.tolist() for name, column in part.contexts.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] or [{}] * len(part)
