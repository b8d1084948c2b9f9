"""Exact replay: where the log has labels and all predictions, any policy can be followed decision by decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace as changed

from selector.decisions import Decision, Entry, Label
from selector.errors import InvalidLabel
from selector.fold import Fold
from selector.losses import Loss
from selector.policy import Policy
from selector.replay.bootstrap import Distribution, Resamples, distribution
from selector.replay.comparison import differences
from selector.replay.errors import InvalidLog
from selector.replay.estimators import Estimator
from selector.replay.evaluation import Estimate, Evaluation
from selector.replay.judgement import LOGGED
from selector.replay.logged import Floats
from selector.replay.rehearsal import Judged, Rehearsal, costs, course, loss_of
from selector.replay.survey import GROUPS

_VALUE = Estimator("reward")

Segment = Callable[[Decision], str]


class Setting(Struct, frozen=True, kw_only=True):
    """What an application makes of decisions: how its log is folded, its default output, what its models cost."""

    fold: Fold
    default: Label | None = None
    costs: Mapping[str, float] = {}


class Account(Struct):
    """What came of one candidate's decisions: sums by group, and totals for people."""

    sums: dict[str, Floats]
    judged: int = 0
    unknown: int = 0
    reward: float = 0.0
    cost: float = 0.0
    asked: int = 0
    sure: int = 0
    silent: int = 0
    curve: list[tuple[int, float]] = []
    segments: dict[str, list[float]] = {}

    def add(self, group: int, loss: float | None, decision: Decision, cost: float, segment: str | None) -> None:
        """Take in one decision; its loss is None where the log cannot tell it."""
        self.sums["decisions"][group] += 1.0
        self.cost += cost
        self.asked += sum(len(selection.models) for selection in decision.selections)
        self.sure += decision.answer.sure is True
        self.silent += decision.answer.output is None or decision.answer.default
        if loss is None:
            self.unknown += 1
            return
        self.judged += 1
        self.reward += 1.0 - loss
        self.sums["reward"][group] += 1.0 - loss
        if segment is not None:
            told = self.segments.setdefault(segment, [0.0, 0.0])
            told[0] += 1.0
            told[1] += 1.0 - loss


class Course(Struct, frozen=True):
    """An exact replay: estimates, and for each candidate its account, its state's encoding, and its regret.

    `models` is each model's mean reward, had it alone been asked; regret is the best one's minus the candidate's.
    """

    evaluation: Evaluation
    accounts: dict[str, Account]
    states: dict[str, bytes]
    models: dict[str, float]
    decisions: int
    first: float | None
    last: float | None

    def regret(self, candidate: str) -> float:
        """Mean reward lost against the best single model in hindsight; below 0 for one that is better than that."""
        account = self.accounts[candidate]
        return max(self.models.values(), default=0.0) - account.reward / max(account.judged, 1)


class _Models(Struct):
    """Each model's summed loss where it is known."""

    count: dict[str, int] = field(default_factory=dict)
    loss: dict[str, float] = field(default_factory=dict)

    def add(self, judged: Judged, loss: Loss) -> None:
        if judged.feedback.label is None:
            return
        for model, prediction in judged.predictions.items():
            self.count[model] = self.count.get(model, 0) + 1
            self.loss[model] = self.loss.get(model, 0.0) + loss(prediction, judged.feedback.label)

    def rewards(self) -> dict[str, float]:
        return {model: 1.0 - self.loss[model] / n for model, n in sorted(self.count.items())}


def replay(
    judged: Iterable[Judged],
    entries: Iterable[Entry],
    candidates: Mapping[str, Policy[Any]],
    setting: Setting,
    *,
    confidence: float = 0.95,
    seed: int = 0,
    segment: Segment | None = None,
) -> Course:
    """Follow candidates through an application's log, all in one pass.

    The application's own policy follows the logged choices. `judged` are its decisions with feedback in the order of
    their ids, `entries` all its events. A candidate learns as it would have learned, from feedback in the order in
    which that arrived. Raises InvalidLog if nothing was judged.
    """
    players = {name: Rehearsal(changed(setting.fold, policy=policy), seed) for name, policy in candidates.items()}
    players[LOGGED] = Rehearsal(setting.fold, seed, follow=True)
    board = _Board(players, setting, segment)
    for event in course(judged, entries):
        if isinstance(event, Judged):
            board.decide(event)
        else:
            for player in players.values():
                player.fold(event)
    if board.decisions == 0:
        raise InvalidLog("the log has no decision with feedback: there is nothing to learn from")
    return board.result(confidence, seed)


class _Board:
    """Accounts of all players, and of the answers that were given."""

    def __init__(self, players: Mapping[str, Rehearsal], setting: Setting, segment: Segment | None) -> None:
        self.players, self.setting, self.segment = players, setting, segment
        self.accounts = {
            name: Account({"decisions": np.zeros(GROUPS), "reward": np.zeros(GROUPS)}, curve=[], segments={})
            for name in players
        }
        self.models = _Models()
        self.decisions = 0
        self.times: list[float] = []
        self._users: dict[str, int] = {}

    def decide(self, judged: Judged) -> None:
        logged, setting = judged.decision, self.setting
        group = self._group(logged)
        segment = None if self.segment is None else self.segment(logged)
        for name, player in self.players.items():
            decision = player.decide(judged)
            unknown = not player.follow and _unseen(decision, judged)
            loss = None if unknown else _loss(decision, judged, setting)
            self.accounts[name].add(group, loss, decision, costs(decision, setting.costs), segment)
        self.models.add(judged, setting.fold.loss)
        self.decisions += 1
        self.times = [self.times[0] if self.times else logged.at, logged.at]
        self._trace()

    def result(self, confidence: float, seed: int) -> Course:
        filled = self.accounts[LOGGED].sums["decisions"] > 0
        resamples = Resamples(int(filled.sum()), seed)
        known = {name: _distribution(account, filled, resamples) for name, account in self.accounts.items()}
        rows = {name: _estimate(name, self.accounts[name], each, confidence) for name, each in known.items()}
        told = {name: each for name, each in known.items() if self.accounts[name].unknown == 0}
        ordered = [rows[name] for name in self.accounts if name != LOGGED]
        evaluation = Evaluation(ordered, rows[LOGGED], differences(told, confidence))
        states = {name: player.population.encode() for name, player in self.players.items()}
        first, last = self.times
        return Course(evaluation, self.accounts, states, self.models.rewards(), self.decisions, first, last)

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
                account.curve.append((n, account.reward / max(account.judged, 1)))


def _unseen(decision: Decision, judged: Judged) -> bool:
    """Whether it asked a model of which the log does not know what it would have said."""
    asked = {model for selection in decision.selections for model in selection.models}
    return bool(asked - set(judged.predictions) - judged.unanswered)


def _loss(decision: Decision, judged: Judged, setting: Setting) -> float | None:
    try:
        return loss_of(decision, judged.feedback, judged.decision, setting.fold.loss, setting.default)
    except InvalidLabel:
        return None


def _distribution(account: Account, filled: np.ndarray[Any, Any], resamples: Resamples) -> Distribution:
    sums = {name: column[filled] for name, column in account.sums.items()}
    return distribution(_VALUE.value, sums, resamples.totals(sums))


def _estimate(name: str, account: Account, known: Distribution, confidence: float) -> Estimate:
    low, high = known.interval(confidence)
    warnings: Sequence[str] = ()
    value = known.value
    if account.unknown:
        total = account.judged + account.unknown
        worst, best = account.reward / total, (account.reward + account.unknown) / total
        low, high, value = worst, best, account.reward / max(account.judged, 1)
        said = f"of {account.unknown / total:.1%} of its decisions the log does not tell the outcome: low and high are "
        warnings = [said + "what these could at worst and at best have been; shadow queries would tell more"]
    return Estimate(
        candidate=name,
        estimator="exact",
        value=value,
        low=low,
        high=high,
        effective_sample_size=float(account.judged),
        warnings=tuple(warnings),
        interval="bounds" if account.unknown else "bootstrap",
        standard_error=known.error,
        bootstrap_low=low,
        bootstrap_high=high,
        evaluated="learning",
        decisions=account.judged,
        more_decisions=None,
    )
