"""The cascade: asks cheap models first, and dearer ones only where they are likely to be worth their cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from random import Random
from statistics import NormalDist
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Struct, field

from selector.cascade.context import Context, hashed
from selector.cascade.course import Course, course
from selector.cascade.ledger import Ledger
from selector.cascade.odds import log_odds
from selector.cascade.plan import Plan
from selector.cascade.rehearsal import Rehearsal
from selector.cascade.stage import Stage
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.losses import Loss, of_rightness
from selector.policies.tally import Tally
from selector.policy import LearnsFrom, Losses, Policy, Predictions, Selections

_SAMPLES = 200  # queries that are rehearsed again
_EVERY = 4  # decisions for each of them
_LEARNING = 0.05  # of a budget: so much goes, at most, into what is asked only to learn
_FRESH = 2000.0  # complete rows of which each teaches all that it can; of later ones it costs more than it tells
_BILLS = 1000.0  # costs of one model that are remembered

Cost = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, lt=1)]


class CascadeState(Struct, array_like=True):
    """What is known of models, by name: `ids` are their bits in `stages`, `bills` mean reported cost and its count.

    `decided` counts its decisions with feedback and others' in which all models answered; `complete`, since the last
    model joined, those in which all were asked at once and did. `due` counts up to the next decision that is taken for
    a random one, of those in which all were asked for certain.
    """

    tally: Tally = field(default_factory=Tally)
    ids: dict[str, int] = {}
    bills: dict[str, list[float]] = {}
    contexts: dict[str, Context] = {}
    stages: dict[int, Stage] = {}
    ledger: Ledger = field(default_factory=Ledger)
    samples: list[tuple[dict[str, Prediction], dict[str, bool]]] = []
    decided: int = 0
    complete: int = 0
    due: float = 0.0


class Cascade(Policy[CascadeState], frozen=True, kw_only=True, tag="cascade"):
    """Asks one model after the other, each chosen by what it is likely to add for its cost, until it is sure enough.

    `costs` are those of models, in any unit, for what their predictions do not report; 1 where nothing is known.
    Without a `budget` its errors are to exceed the best model's by no more than `epsilon`, as a share of the latest
    20,000 queries: it spends less where that holds with confidence 1 - `delta` (by a normal quantile), more where it
    seems not to; what the beginning lost is made good by the 12,000th. With a `budget` it answers best at that mean
    cost. Until feedback has come on `beginning` decisions, counting what others decided if all models answered, all
    models are asked; of the decisions at which it would stop later a share, decreasing to `exploration`, asks on all
    the same, though for no more than a twentieth of the budget; the model that it is compared with, the one that might
    be the best, is asked by chance as often as certainty is worth.

    For each set of models that have answered a pool answers, with confidence calibrated by label as well; what one
    more model adds is learned by bins of confidence and label. After every answer the choice is made anew. Losses
    below one half count as right, in regression too, where one model's answer is given. What others decided teaches as
    well, labelled examples most, of which all models were asked at once; but it is no part of what was spent or lost.

    Dekoninck, Baader, Vechev: A unified approach to routing and cascading for LLMs (2024); Chen, Zaharia, Zou:
    FrugalML (NeurIPS 2020); Wang et al.: IDK cascades (UAI 2018).

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = Cascade(costs={"resnet": 1.0, "squeezenet": 0.05})
    >>> query = Query(id=1, available=("resnet", "squeezenet"))
    >>> policy.select(policy.initial_state(query.available), query, [], {}, Random(1))
    Selection(models=('resnet', 'squeezenet'), probability=1.0)
    """

    state_type: ClassVar[type] = CascadeState
    learns_from: ClassVar[LearnsFrom] = "labels"
    per_user: ClassVar[bool] = False
    asks_on: ClassVar[bool] = True

    costs: Mapping[str, Cost] = {}
    epsilon: Annotated[float, Meta(ge=0, lt=1)] = 0.005
    delta: Share = 0.05
    budget: Annotated[float, Meta(gt=0)] | None = None
    exploration: Share = 0.01
    beginning: Annotated[int, Meta(ge=0)] = 100

    def initial_state(self, models: Sequence[str]) -> CascadeState:
        return self.with_models(CascadeState(), models)

    def with_models(self, state: CascadeState, models: Sequence[str]) -> CascadeState:
        tally = state.tally.with_models(models)
        ids = {model: state.ids[model] for model in tally.models if model in state.ids}
        gone = sum([1 << i for model, i in state.ids.items() if model not in ids])
        free = (i for i in range(len(state.ids) + len(tally.models)) if i not in state.ids.values())
        ids.update({model: next(free) for model in tally.models if model not in ids})
        stages = {mask: stage.without(gone) for mask, stage in state.stages.items() if not mask & gone}
        bills = {model: list(state.bills[model]) for model in ids if model in state.bills}
        contexts = {model: state.contexts[model] for model in ids if model in state.contexts}
        dearest = max([self._cost(bills, model) for model in ids], default=1.0)
        ledger = state.ledger.with_models(tally.models, dearest, bool(gone))
        samples = [] if gone else list(state.samples)
        complete = state.complete if ids.keys() <= state.ids.keys() else 0
        return CascadeState(tally, ids, bills, contexts, stages, ledger, samples, state.decided, complete, state.due)

    def select(
        self, state: CascadeState, query: Query, selections: Selections, predictions: Predictions, rng: Random
    ) -> Selection | None:
        asked = {model for selection in selections for model in selection.models}
        rest = [model for model in query.available if model not in asked]
        if not rest:
            return None
        state = self._knowing(state, query.available)
        if not selections and self._share(state) >= 1.0:
            return Selection(query.available, 1.0)
        plan = self._plan(state, query, rest)
        stage, view = plan.place(predictions)
        way, stop = plan.best(stage, view, rest), plan.stop(stage, view)
        if way.model is not None and way.net > stop.net:
            return Selection((way.model,), 1.0)
        if plan.reference is not None:
            chance = plan.shadow(stage, view)[0]
            return Selection((plan.reference,), chance) if rng.random() < chance else None
        chance = min(1.0, plan.share / prod([selection.probability for selection in selections]))
        return Selection(tuple(rest), chance) if rng.random() < chance else None

    def combine(self, state: CascadeState, query: Query, selections: Selections, predictions: Predictions) -> Answer:
        if not predictions:
            return Answer(None)
        state = self._knowing(state, predictions)
        _, view = self._plan(state, query, query.available).place(predictions)
        asked = {model for selection in selections for model in selection.models} | set(predictions)
        return Answer(view.label, view.confidence * len(predictions) / len(asked))

    def judged_by(self, loss: Loss) -> Loss:
        return of_rightness(loss)

    def observe(self, state: CascadeState, decision: Decision, losses: Losses) -> CascadeState:
        met = course(decision, losses, state.ids)
        if not met.right:
            return state
        for model in met.right:
            state.tally.add(model, losses[model])
        spent = self._pay(state, decision)
        plan = self._plan(state, decision.query, state.ids)
        if decision.policy == self.name:
            self._account(state, plan, decision, met, spent)
        random = self._learn(state, plan, decision, met)
        whole = len(met.said) == len(state.ids)
        state.complete += whole and met.at_once
        if whole or decision.policy == self.name:
            if not plan.shifts:
                self._rehearse(state, plan, met if random and whole else None)
            state.decided += 1
        return state

    def blend(self, population: CascadeState, own: CascadeState, strength: float) -> CascadeState:
        return population

    def encode(self, state: CascadeState) -> bytes:
        """As it is: keys that are no strings cannot be sorted, but equal folds insert them in equal order."""
        return msgspec.msgpack.encode(state)

    def describe(self, state: CascadeState) -> dict[str, dict[str, float]]:
        """`weight` is the share of the predictions; `cost` what one takes, as set or as reported of late.

        `excess`, without a budget, is the cascade's share of errors less the model's, over the latest of its queries
        with feedback at which the model was available since a model last left, and `excess_deviation` how uncertain
        that is for the model's not having been asked each time: 0 if it was. Not there before the first estimate.
        """
        described = state.tally.describe([count + 1e-9 for count in state.tally.counts]) if state.ids else {}
        for model, known in described.items():
            known["cost"] = self._cost(state.bills, model)
            excess = state.ledger.excess(model)
            if excess is not None:
                known["excess"], known["excess_deviation"] = excess
        return described

    def _knowing(self, state: CascadeState, models: Sequence[str] | Mapping[str, Prediction]) -> CascadeState:
        """The state, or if any of the models is unknown, one in which they have just joined."""
        return state if all(m in state.ids for m in models) else self.with_models(state, [*state.ids, *models])

    def _cost(self, bills: Mapping[str, list[float]], model: str) -> float:
        return bills[model][0] if model in bills else self.costs.get(model, 1.0)

    def _share(self, state: CascadeState) -> float:
        """Of the queries at which it would stop: at how many it asks all the same."""
        if state.decided < self.beginning:
            return 1.0
        share = max(self.exploration, (self.beginning / (state.decided + 1.0)) ** 2)
        if self.budget is None:
            return share
        return min(share, _LEARNING * self.budget / max(sum(self._cost(state.bills, m) for m in state.ids), 1e-9))

    def _plan(self, state: CascadeState, query: Query, rest: Sequence[str] | Mapping[str, int]) -> Plan:
        """What to do next; `rest` are those that may still be asked."""
        z = NormalDist().inv_cdf(1.0 - self.delta)
        reference = state.ledger.reference(query.available, z) if self.budget is None else None
        costs = {model: self._cost(state.bills, model) for model in state.ids}
        counts, losses = state.tally.of(state.tally.models)
        usual = {
            m: 1.0 - (loss + 1.0) / (n + 2.0) for m, n, loss in zip(state.tally.models, counts, losses, strict=True)
        }
        x = hashed(query.features) if query.features else {}
        shifts = {m: state.contexts[m].shift(x) if m in state.contexts else 0.0 for m in state.ids} if x else {}
        reference = reference if reference in rest else None
        return Plan(state.stages, state.ids, costs, usual, state.ledger, reference, z, self._share(state), shifts)

    def _pay(self, state: CascadeState, decision: Decision) -> float:
        """What the decision has cost; learn what models report, in place."""
        spent = 0.0
        for model in sorted({m for selection in decision.selections for m in selection.models} & state.ids.keys()):
            said = decision.predictions.get(model)
            if said is not None and said.cost is not None and said.cost >= 0:
                bill = state.bills.setdefault(model, [0.0, 0.0])
                bill[1] = min(bill[1] + 1.0, _BILLS)
                bill[0] += (said.cost - bill[0]) / bill[1]
                spent += said.cost
            else:
                spent += self._cost(state.bills, model)
        return spent

    def _account(self, state: CascadeState, plan: Plan, decision: Decision, met: Course, spent: float) -> None:
        ledger = state.ledger
        ledger.enter(spent, plan.stages)
        if self.budget is not None:
            ledger.heed_budget(spent, self.budget, plan.costs)
            return
        known = [met.right[model] for model, said in met.said.items() if said.output == decision.answer.output]
        if not known:
            return
        wrong, certain = not any(known), met.certain()
        _, view = plan.place(certain)
        correct = any(met.right[model] for model, said in certain.items() if said.output == view.label)
        ledger.compare(met.models, wrong, met.right, view, correct)
        ledger.settle(plan.stages, plan.ids, plan.usual)
        model = plan.reference
        if model is not None:
            ledger.heed_accuracy(model, plan.usual[model], self.epsilon, plan.z, plan.costs[model])

    def _learn(self, state: CascadeState, plan: Plan, decision: Decision, met: Course) -> bool:
        """Learn, in place; tell whether it counts as a random query in which all that were available answered."""
        random = all(model in met.said for model in met.models)
        if random and met.drawn == 1.0:
            state.due += max(plan.share, min(1.0, _FRESH / (state.complete + 1.0))) if met.at_once else plan.share
            random = state.due >= 1.0
            state.due -= random
        within = None if random else {plan.mask(said) for said in met.rounds}
        rehearsal = Rehearsal(plan, met.models, met.said, met.right, within)
        rehearsal.play()
        if random and met.at_once:  # where one is asked for what others said, the query is no random one for every set
            rehearsal.widen()
        rehearsal.learn_steps()
        rehearsal.learn_labels()
        if plan.shifts:
            x = hashed(decision.query.features)
            for model, right in met.right.items():
                state.contexts.setdefault(model, Context()).learn(x, log_odds(plan.usual[model]), right)
        return random

    def _rehearse(self, state: CascadeState, plan: Plan, met: Course | None) -> None:
        """Remember a decision in which all were asked, or go over one again by what is known now, in place."""
        if met is not None:
            if len(state.samples) >= _SAMPLES:
                state.samples.pop(0)
            state.samples.append((met.said, met.right))
        elif state.samples and state.decided % _EVERY == 0:
            said, right = state.samples[state.decided // _EVERY % len(state.samples)]
            rehearsal = Rehearsal(plan, list(said), said, right, None)
            rehearsal.play()
            rehearsal.learn_steps()
