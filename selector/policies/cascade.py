"""The cascade: asks cheap models first, and dearer ones only where they are likely to be worth their cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log, sqrt
from random import Random
from statistics import NormalDist
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Struct, field

from selector.cascade.ledger import Account, Ledger
from selector.cascade.stages import Stage, Stages, View
from selector.decisions import Answer, Decision, Label, Prediction, Query, Selection
from selector.policies.tally import Tally
from selector.policy import LearnsFrom, Losses, Policy, Predictions, Selections

_WRONG = 0.5
_BEGIN = 100.0  # decisions on which all are asked


class CascadeState(Struct, array_like=True):
    tally: Tally = field(default_factory=Tally)
    ids: dict[str, int] = {}
    stages: Stages = field(default_factory=Stages)
    ledger: Ledger = field(default_factory=Ledger)
    seen: float = 0.0
    due: float = 0.0


class Cascade(Policy[CascadeState], frozen=True, kw_only=True, tag="cascade"):
    state_type: ClassVar[type] = CascadeState
    learns_from: ClassVar[LearnsFrom] = "labels"
    per_user: ClassVar[bool] = False

    costs: dict[str, float] = {}
    epsilon: Annotated[float, Meta(ge=0, lt=1)] = 0.005
    delta: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    budget: Annotated[float, Meta(gt=0)] | None = None
    exploration: Annotated[float, Meta(gt=0, le=1)] = 0.01

    def initial_state(self, models: Sequence[str]) -> CascadeState:
        return self.with_models(CascadeState(), models)

    def with_models(self, state: CascadeState, models: Sequence[str]) -> CascadeState:
        tally = state.tally.with_models(models)
        ids = {m: state.ids[m] for m in tally.models if m in state.ids}
        for m in tally.models:
            if m not in ids:
                ids[m] = max(list(ids.values()) + list(state.ids.values()), default=-1) + 1
        ledger = Ledger(state.ledger.price, state.ledger.queries, state.ledger.spent,
                        {m: state.ledger.accounts.get(m) or Account() for m in tally.models})
        if not state.ids and tally.models:
            ledger.price = log(0.05 * len(ids) / sum(self._cost(m) for m in tally.models))
        return CascadeState(tally, ids, state.stages, ledger, state.seen, state.due)

    def _cost(self, model: str) -> float:
        return self.costs.get(model, 1.0)

    @property
    def _z(self) -> float:
        return NormalDist().inv_cdf(1.0 - self.delta)

    def _share(self, state: CascadeState) -> float:
        return min(1.0, max(self.exploration, (_BEGIN / (state.seen + 1.0)) ** 2))

    def _mask(self, state, models):
        return sum(1 << state.ids[m] for m in models)

    def view(self, state: CascadeState, said: Predictions) -> tuple[Stage, View]:
        mask = self._mask(state, said)
        stage = state.stages.at(mask, tuple(said))
        return stage, stage.view(mask, said)

    def _usual(self, state, model):
        i = state.tally.models.index(model)
        return 1.0 - (state.tally.losses[i] + 1.0) / (state.tally.counts[i] + 2.0)

    def _variance(self, state, stage, view, model):
        """Of whether `model` is right, once it is known whether the answer is."""
        i, usual = state.ids[model], self._usual(state, model)
        p, q = stage.other(view, i, usual, True), stage.other(view, i, usual, False)
        c = view.confidence
        return max(c * p * (1.0 - p) + (1.0 - c) * q * (1.0 - q), 0.003)

    def shadow(self, state, stage, view, tightest: str | None, share: float) -> tuple[float, float, float, float]:
        """The chance to ask the tightest at a stop, the variance that remains, what it is worth, the expense."""
        if tightest is None or view.mask >> state.ids[tightest] & 1:
            return 0.0, 0.0, 0.0, 0.0
        v = self._variance(state, stage, view, tightest)
        m = state.ledger.doubt(tightest, self._z)
        cost = self._cost(tightest)
        priced = exp(state.ledger.price) * cost
        rho = min(1.0, max(share, sqrt(m * v / priced))) if priced > 0 else 1.0
        rest = v * (1.0 - rho) / rho
        return rho, rest, m * rest, cost * rho

    def best_next(self, state, stage, view, rest) -> tuple[str | None, float, float, float]:
        """Model, its value net of cost, accuracy and cost of it."""
        price = exp(state.ledger.price)
        best = (None, -1e9, 0.0, 0.0)
        for model in rest:
            i = state.ids[model]
            stop, accuracy, further = stage.prospects(view, i)
            cost = self._cost(model)
            value = accuracy - price * (cost + further)
            if stop - price * cost > value:
                value, accuracy, further = stop - price * cost, stop, 0.0
            cost += further
            if value > best[1]:
                best = (model, value, accuracy, cost)
        return best

    def select(
        self, state: CascadeState, query: Query, selections: Selections, predictions: Predictions, rng: Random
    ) -> Selection | None:
        asked = {m for s in selections for m in s.models}
        rest = [m for m in query.available if m not in asked]
        if not rest:
            return None
        if any(m not in state.ids for m in query.available):
            state = self.with_models(state, [*state.ids, *query.available])
        share = self._share(state)
        if not selections and share >= 1.0:
            return Selection(query.available, 1.0)
        stage, view = self.view(state, predictions)
        model, value, _, _ = self.best_next(state, stage, view, rest)
        tightest = self._tightest(state)
        if tightest in asked or tightest not in query.available:
            tightest = None
        rho, _, doubt, expense = self.shadow(state, stage, view, tightest, share)
        if not view.mask or value > view.confidence - doubt - exp(state.ledger.price) * expense:
            return Selection((model,), 1.0)
        if tightest is not None:
            return Selection((tightest,), rho) if rng.random() < rho else None
        drawn = 1.0
        for s in selections:
            drawn *= s.probability
        share = min(1.0, share / drawn)
        if rng.random() < share:
            return Selection(tuple(rest), share)
        return None

    def _tightest(self, state):
        return None if self.budget is not None else state.ledger.tightest(self._z)

    def combine(self, state: CascadeState, query: Query, selections: Selections, predictions: Predictions) -> Answer:
        if not predictions:
            return Answer(None)
        if any(m not in state.ids for m in predictions):
            state = self.with_models(state, [*state.ids, *predictions])
        _, view = self.view(state, predictions)
        return Answer(view.label, view.confidence)

    def observe(self, state: CascadeState, decision: Decision, losses: Losses) -> CascadeState:
        known = [m for m in sorted(losses) if m in state.ids]
        if not known:
            return state
        for m in known:
            state.tally.add(m, losses[m])
        right = {m: losses[m] < _WRONG for m in known}
        said = {m: decision.predictions[m] for m in known if m in decision.predictions}
        chance: dict[str, float] = {}
        p = 1.0
        prefixes = [[]]
        for s in decision.selections:
            p *= s.probability
            prefixes.append(prefixes[-1] + [m for m in s.models if m in said])
            for m in s.models:
                chance[m] = max(p, 1e-3)
        share, tightest = self._share(state), self._tightest(state)
        if decision.policy == "cascade":
            self._account(state, decision, said, right, chance, share, tightest)
        # stages
        ids = state.ids
        models = sorted(said)
        n = len(models)
        complete = all(m in said for m in decision.query.available if m in ids)
        if complete and p >= 1.0:
            state.due += share
            if state.due >= 1.0:
                state.due -= 1.0
            else:
                complete = False
        price = exp(state.ledger.price)
        allowed = None if complete else {self._mask(state, s) for s in prefixes}
        memo = {}
        names = {ids[m]: m for m in models}

        def look(mask):
            subset = [m for m in models if mask >> ids[m] & 1]
            stage, view = self.view(state, {m: said[m] for m in subset})
            rest = [m for m in decision.query.available if m not in subset and m in ids]
            follow, value, accuracy, cost = self.best_next(state, stage, view, rest) if rest else (None, -1e9, 0.0, 0.0)
            _, _, doubt, expense = self.shadow(state, stage, view, tightest, share)
            if mask and view.confidence - doubt - price * expense >= value:
                follow, accuracy, cost = None, view.confidence - doubt, expense
            elif follow in said:
                after = mask | 1 << ids[follow]
                if allowed is None or after in allowed:
                    accuracy, cost = roll(after)
                    cost += self._cost(follow)
            memo[mask] = (stage, view, (accuracy, cost), subset, follow)
            return accuracy, cost

        def roll(mask):
            return memo[mask][2] if mask in memo else look(mask)

        if allowed is None:
            mask = 0
            while True:
                for m in models:
                    if not mask >> ids[m] & 1:
                        roll(mask | 1 << ids[m])
                roll(mask)
                follow = memo[mask][4]
                if follow is None or follow not in said:
                    break
                mask |= 1 << ids[follow]
        else:
            for mask in sorted(allowed):
                roll(mask)
        for stage, view, _, subset, _ in list(memo.values()):
            voters = [right[m] for m in subset if said[m].output == view.label]
            if voters:
                stage.learn_right(view, any(voters))
            for m in known:
                if m in subset:
                    continue
                if voters or not subset:
                    stage.learn_other(view, ids[m], any(voters), right[m])
                after = memo.get(view.mask | 1 << ids[m])
                if after:
                    stage.learn_gain(view, ids[m], after[1].confidence, *after[2])
            if subset:
                stage.pool.learn({m: said[m] for m in subset}, right)
        state.seen += 1.0
        return state

    def _account(self, state, decision, said, right, chance, share, tightest):
        ledger = state.ledger
        cost = sum(self._cost(m) for s in decision.selections for m in s.models)
        ledger.enter(cost)
        if self.budget is not None:
            ledger.heed_budget(cost, self.budget)
            return
        voters = [right[m] for m in said if said[m].output == decision.answer.output]
        if not voters:
            return
        wrong = 1.0 - any(voters)
        before = {m: said[m] for s in decision.selections for m in s.models if s.probability >= 1.0 and m in said}
        stage, view = self.view(state, before)
        correct = any(right[m] for m in before if before[m].output == view.label)
        expected = 0.0
        for m in state.ids:
            if m in before:
                gap, variance = wrong - (1.0 - right[m]), 0.0
                if m == tightest:
                    expected = gap
                miss = 1.0 - right[m]
            else:
                p = stage.other(view, state.ids[m], self._usual(state, m), correct)
                miss = 1.0 - p
                if m == tightest:
                    i, usual = state.ids[m], self._usual(state, m)
                    c = view.confidence
                    expected = c * stage.other(view, i, usual, True) + (1.0 - c) * stage.other(view, i, usual, False) - c
                if m in right and m in chance:
                    miss += (1.0 - right[m] - miss) / chance[m]
                gap = wrong - miss
                v = self._variance(state, stage, view, m)
                variance = self.shadow(state, stage, view, m, share)[1] if m == tightest else (1.0 - share) / share * v
            ledger.compare(m, gap, variance, miss)
        if tightest is not None and state.seen <= _BEGIN:
            ledger.price = log(0.1 / self._cost(tightest))
        elif tightest is not None:
            ledger.heed_accuracy(tightest, expected, self.epsilon, self._z, self._cost(tightest))

    def blend(self, population: CascadeState, own: CascadeState) -> CascadeState:
        return population

    def encode(self, state: CascadeState) -> bytes:
        return msgspec.msgpack.encode(state)

    def describe(self, state: CascadeState) -> dict[str, dict[str, float]]:
        return state.tally.describe([1.0] * len(state.tally.models))
