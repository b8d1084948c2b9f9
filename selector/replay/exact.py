"""Exact replay: where the log has labels and all predictions, any policy can be followed decision by decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace as changed

from selector.decisions import Decision, Entry, Label
from selector.fold import Fold
from selector.policy import Policy
from selector.replay import anytime
from selector.replay.account import Account
from selector.replay.bootstrap import Resamples
from selector.replay.comparison import differences
from selector.replay.consequences import cost_of, loss_of, unseen
from selector.replay.contender import LOGGED
from selector.replay.errors import InvalidLog
from selector.replay.evaluation import Evaluation
from selector.replay.groups import GROUPS
from selector.replay.latency import Latencies
from selector.replay.models import MeanReward, Models
from selector.replay.rehearsal import Judged, Rehearsal, course

Segment = Callable[[Decision], str]


class Setting(Struct, frozen=True, kw_only=True):
    """What an application makes of decisions: how its log is folded, its default output, what its models cost."""

    fold: Fold
    default: Label | None = None
    costs: Mapping[str, float] = {}


class Course(Struct, frozen=True):
    """An exact replay: estimates, and for each candidate its account, its state's encoding, and its regret.

    `models` is each model's mean reward, had it alone been asked, where the log tells it; regret is that of the best of
    those that it tells of all decisions, minus the candidate's. `oracle` is that of the best model for each query, in
    hindsight (see Models.oracle).
    """

    evaluation: Evaluation
    accounts: dict[str, Account]
    states: dict[str, bytes]
    models: dict[str, MeanReward]
    oracle: MeanReward | None
    decisions: int
    first: float | None
    last: float | None

    def regret(self, candidate: str) -> float | None:
        """Mean reward lost against the best single model in hindsight; below 0 for one that is better than that.

        None where the log does not tell all of the candidate, or of any model: queries on which a model was asked were
        chosen for it, so that its mean on them is not what it would have got.
        """
        told = [each.reward for each in self.models.values() if each.decisions == self.decisions]
        own = self.accounts[candidate]
        return max(told) - own.mean if told and own.unknown == 0 else None


def replay(
    judged: Iterable[Judged],
    entries: Iterable[Entry],
    candidates: Mapping[str, Policy[Any]],
    setting: Setting,
    *,
    confidence: float = 0.95,
    seed: int = 0,
    segment: Segment | None = None,
    since: float = -inf,
) -> Course:
    """Follow candidates through an application's log, all in one pass.

    The application's own policy follows the logged choices. `judged` are its decisions with feedback in the order of
    their ids, `entries` all its events. A candidate learns as it would have learned, from feedback in the order in
    which that arrived. Decisions before `since`, and examples, on which no policy decided, are learned from as they
    were logged, and not judged.
    Raises InvalidLog if nothing was judged.
    """
    players = {name: Rehearsal(changed(setting.fold, policy=policy), seed) for name, policy in candidates.items()}
    players[LOGGED] = Rehearsal(setting.fold, seed, follow=True)
    board = _Board(players, setting, segment)
    for event in course(judged, entries):
        if isinstance(event, Judged):
            if is_judged(event.decision, since):
                board.decide(event)
        else:
            for player in players.values():
                player.fold(event)
    if board.decisions == 0:
        when = "" if since == -inf else " since the policy in force decides"
        raise InvalidLog(
            f"the log has no decision with feedback{when}, examples aside: there is nothing to compare with yet"
        )
    return board.result(confidence, seed)


def is_judged(decision: Decision, since: float) -> bool:
    """Whether a policy made it, from then on."""
    return decision.policy != "" and decision.at >= since


class _Board:
    """Accounts of all players, and of the answers that were given."""

    def __init__(self, players: Mapping[str, Rehearsal], setting: Setting, segment: Segment | None) -> None:
        self.players, self.setting, self.segment = players, setting, segment
        self.accounts = {name: Account() for name in players}
        self.models, self.latencies = Models(), Latencies()
        self.decisions = 0
        self.times: list[float] = []
        self._users: dict[str, int] = {}

    def decide(self, judged: Judged) -> None:
        logged, setting = judged.decision, self.setting
        self.latencies.add(logged)
        group = self._group(logged)
        segment = None if self.segment is None else self.segment(logged)
        for name, player in self.players.items():
            decision = player.decide(judged)
            unknown = not player.follow and unseen(decision, judged)
            loss = None if unknown else loss_of(decision, judged, setting.fold.loss, setting.default)
            latency = self.latencies.of(decision, logged)
            cost = cost_of(decision, setting.costs)
            self.accounts[name].add(group, loss, decision, cost, latency, segment, answered=not unknown)
        self.models.add(judged, setting.fold.loss, setting.default)
        self.decisions += 1
        self.times = [self.times[0] if self.times else logged.at, logged.at]
        self._trace()

    def result(self, confidence: float, seed: int) -> Course:
        filled = self.accounts[LOGGED].decisions > 0
        resamples = Resamples(int(filled.sum()), seed)
        worst = {name: account.distribution(filled, resamples) for name, account in self.accounts.items()}
        told = {name: each for name, each in worst.items() if self.accounts[name].unknown == 0}
        best = {name: told.get(name) or self.accounts[name].distribution(filled, resamples, 1.0) for name in worst}
        rows = {name: self.accounts[name].estimate(name, worst[name], best[name], confidence) for name in worst}
        ordered = [rows[name] for name in self.accounts if name != LOGGED]
        evaluation = Evaluation(ordered, rows[LOGGED], differences(told, self._always_apart, confidence))
        states = {name: player.population.encode() for name, player in self.players.items()}
        models = self.models
        return Course(evaluation, self.accounts, states, models.rewards(), models.oracle, self.decisions, *self.times)

    def _always_apart(self, a: str, b: str, confidence: float) -> anytime.Interval:
        """Paired: of how much more the one got than the other, from 0 (all less) to 1 (all more)."""
        gains = np.array(self.accounts[a].rewards) - np.array(self.accounts[b].rewards)
        low, high = anytime.of_rewards((1.0 + gains) / 2.0, confidence)
        return 2.0 * low - 1.0, 2.0 * high - 1.0

    def _group(self, decision: Decision) -> int:
        user = decision.query.user
        if user is None:
            return self.decisions % GROUPS
        return self._users.setdefault(user, len(self._users)) % GROUPS

    def _trace(self) -> None:
        """Mean rewards so far, at points that grow ever rarer."""
        n = self.decisions
        if n % max(1, 2 ** max(0, n.bit_length() - 7)) == 0:
            for account in self.accounts.values():
                account.curve.append((n, account.mean))
