"""For those who do not want to choose: several policies learn from the same feedback, and the best of them decides."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import log
from random import Random
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from selector.decisions import Answer, Decision, Query, Selection
from selector.losses import Loss, of_rightness
from selector.policies.advice import answer_of, averaged, chances_of, voted
from selector.policies.ensemble import Ensemble
from selector.policies.exp4 import Exp4
from selector.policies.linucb import LinUCB
from selector.policies.single import Single, asked, draw, only_answer
from selector.policies.tally import Tally
from selector.policies.thompson import Thompson
from selector.policies.vote import everyone
from selector.policies.weights import Weights
from selector.policy import LearnsFrom, Losses, Policy, Predictions, Selections, Task

Advice = dict[str, float]
"""How likely a policy would have answered what each model said, up to a common factor; empty if it says nothing."""

_IMPLICIT = 0.05  # gamma of Exp3-IX, which bounds what one unlikely feedback can do
_ODDS = {"linucb": 1.0, "thompson": 1 / 4}  # at first: what the latter can know is a special case of the former


class AutoState(Struct, array_like=True):
    """The tally of the models, the weights of the policies by name, and the state of each, in the policies' order."""

    tally: Tally
    weights: Weights
    states: list[Any]


class AutoRecord(Struct, array_like=True):
    """An `AutoState` as it is encoded."""

    tally: Tally
    weights: Weights
    states: list[bytes]


class Auto(Policy[AutoState], frozen=True, kw_only=True, tag="auto"):
    """Mixes policies by exponential weights, each judged on every feedback by what it would have answered.

    It `asks` "all" models, and answers the weighted vote of `exp4` with restarts, `ensemble` and `linucb`; or "one",
    and draws it from the mixture of what `linucb` and `thompson` would ask, so the probability is exact; at first four
    parts in five are LinUCB's. Whoever is asked, all of the policies learn from it.

    `learning_rate` is eta, `share` the fixed share. Where labels tell the losses of all models, and the best of the N
    policies has the mean loss L over T feedbacks, that of the vote is at most (eta L + ln(N) / T) / ln(2 / (1 +
    exp(-eta))), but for the share; of numbers, with 1 - exp(-eta) below.

    Where the loss of one model alone is known, which was asked with probability p, a policy's loss is estimated: by
    what LinUCB expects of the models that it would ask, corrected for that one by (loss - expected) / (p + .05). It is
    the policy as it is now, so late feedback does no harm. The mean of the estimates over the mixture exceeds that of a
    policy, w being its part at first, by at most ln(1 / w) / (eta T) + eta times their mean square, while none is below
    -1 / eta.

    Littlestone & Warmuth: The weighted majority algorithm (1994); Auer, Cesa-Bianchi, Freund, Schapire (SIAM J. Comput.
    2002), Exp4, its experts being policies that learn; Agarwal, Luo, Neyshabur, Schapire: Corralling a band of bandit
    algorithms (COLT 2017); Dudik, Langford, Li: Doubly robust policy evaluation and learning (ICML 2011); Neu: Explore
    no more (NIPS 2015).

    >>> from selector.decisions import Prediction, Query, Selection
    >>> policy = Auto()
    >>> query = Query(id=1, available=("cnn", "forest", "svm"))
    >>> said = {"cnn": Prediction("cat"), "forest": Prediction("dog"), "svm": Prediction("dog")}
    >>> policy.combine(policy.initial_state(query.available), query, [Selection(query.available, 1.0)], said).output
    'dog'
    """

    state_type: ClassVar[type] = AutoRecord
    learns_from: ClassVar[LearnsFrom] = "labels"
    per_user: ClassVar[bool] = False
    contextual: ClassVar[bool] = True

    asks: Literal["one", "all"] = "all"
    learning_rate: Annotated[float, Meta(gt=0)] = 0.5
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.0001

    @property
    def policies(self) -> tuple[Policy[Any], ...]:
        """Those that it mixes, by name."""
        return _policies(self.asks, self.task)

    def initial_state(self, models: Sequence[str]) -> AutoState:
        tally = Tally().with_models([policy.name for policy in self.policies])
        weights = Weights(tally, [log(_ODDS[name]) if self.asks == "one" else 0.0 for name in tally.models])
        states = [policy.initial_state(models) for policy in self.policies]
        return AutoState(Tally().with_models(models), weights, states)

    def with_models(self, state: AutoState, models: Sequence[str]) -> AutoState:
        states = [policy.with_models(s, models) for policy, s in zip(self.policies, state.states, strict=True)]
        weights = state.weights.with_models(state.weights.tally.models)
        return AutoState(state.tally.with_models(models), weights, states)

    def select(
        self, state: AutoState, query: Query, selections: Selections, predictions: Predictions, rng: Random
    ) -> Selection | None:
        if self.asks == "all":
            return everyone(query, selections)
        if selections or not query.available:
            return None
        return draw(query.available, self._mixture(state, query), rng)

    def combine(self, state: AutoState, query: Query, selections: Selections, predictions: Predictions) -> Answer:
        if self.asks == "one":
            return only_answer(selections, predictions)
        weights = state.weights.of(state.weights.tally.models)
        answers = [
            answer_of(policy, s, query, selections, predictions)
            for policy, s in zip(self.policies, state.states, strict=True)
        ]
        said = [(answer, weight) for answer, weight in zip(answers, weights, strict=True) if answer.output is not None]
        return averaged(said) if self.task == "regression" else voted(said)

    def judged_by(self, loss: Loss) -> Loss:
        return of_rightness(loss)

    def observe(self, state: AutoState, decision: Decision, losses: Losses) -> AutoState:
        known = {model: loss for model, loss in losses.items() if model in state.tally.models}
        if known:
            judge = self._estimates if self.asks == "one" else self._lost
            judged = judge(state, decision, known)
            state.weights.learn([(name, self.learning_rate * loss) for name, loss in judged], self.share)
        for model, loss in losses.items():
            state.tally.add(model, loss)
        anyones = replace(decision, query=replace(decision.query, user=None))  # nobody asks what a user is worth
        state.states = [
            policy.observe(s, decision if policy.contextual else anyones, losses)
            for policy, s in zip(self.policies, state.states, strict=True)
        ]
        return state

    def blend(self, population: AutoState, own: AutoState, strength: float) -> AutoState:
        return population

    def describe(self, state: AutoState) -> dict[str, dict[str, float]]:
        """`weight` is the mean of what the policies give a model, each by its own weight."""
        weights = state.weights.of(state.weights.tally.models)
        told = [policy.describe(s) for policy, s in zip(self.policies, state.states, strict=True)]
        models = state.tally.models
        means = [sum(w * t[model]["weight"] for w, t in zip(weights, told, strict=True)) for model in models]
        return state.tally.describe(means) if models else {}

    def encode(self, state: AutoState) -> bytes:
        states = [policy.encode(s) for policy, s in zip(self.policies, state.states, strict=True)]
        return msgspec.msgpack.encode(AutoRecord(state.tally, state.weights, states), order="deterministic")

    def decode(self, data: bytes) -> AutoState:
        """The inverse of `encode`. Raises msgspec.ValidationError on bytes of another kind."""
        record = msgspec.msgpack.decode(data, type=AutoRecord)
        if len(record.states) != len(self.policies):
            raise msgspec.ValidationError("the state is of other policies")
        states = [policy.decode(s) for policy, s in zip(self.policies, record.states, strict=True)]
        return AutoState(record.tally, record.weights, states)

    def _mixture(self, state: AutoState, query: Query) -> list[float]:
        """The probability of each available model."""
        weights = state.weights.of(state.weights.tally.models)
        parts = [chances_of(policy, s, query) for policy, s in zip(self.policies, state.states, strict=True)]
        return [sum([w * p for w, p in zip(weights, ps, strict=True)]) for ps in zip(*parts, strict=True)]

    def _estimates(self, state: AutoState, decision: Decision, known: Losses) -> list[tuple[str, float]]:
        """What each policy would have lost, where it is known of one model; nothing if of none that was asked."""
        query, (linucb, thompson) = decision.query, self.policies
        assert isinstance(linucb, LinUCB)
        chances, expected = linucb.outlook(state.states[0], query)
        weights = {model: p + _IMPLICIT for model, p in asked(decision) if model in known}
        if all(model in known for model in query.available):
            weights = dict.fromkeys(known, 1.0)
        if not weights:
            return []
        losses = [  # doubly robust
            e + (known[model] - e) / weights[model] if model in weights else e
            for model, e in zip(query.available, expected, strict=True)
        ]
        parts = {linucb.name: chances, thompson.name: chances_of(thompson, state.states[1], query)}
        return [(name, sum([p * loss for p, loss in zip(part, losses, strict=True)])) for name, part in parts.items()]

    def _lost(self, state: AutoState, decision: Decision, known: Losses) -> list[tuple[str, float]]:
        """What each policy would have lost, of those of which that can be told."""
        lost = []
        for policy, s in zip(self.policies, state.states, strict=True):
            advice = self._advice(policy, s, decision)
            part = sum([advice.get(model, 0.0) for model in known])
            if part > 0.0:
                lost.append((policy.name, sum([advice.get(model, 0.0) * known[model] for model in known]) / part))
        return lost

    def _advice(self, policy: Policy[Any], state: Any, decision: Decision) -> Advice:
        """How likely the policy would have answered what each model said, by its state as it is now."""
        query, predictions = decision.query, decision.predictions
        if self.task == "regression" and not isinstance(policy, Single):
            return {model: told["weight"] for model, told in policy.describe(state).items()}
        output = answer_of(policy, state, query, decision.selections, predictions).output
        return {model: 1.0 for model, prediction in predictions.items() if prediction.output == output}


@cache
def _policies(asks: Literal["one", "all"], task: Task) -> tuple[Policy[Any], ...]:
    """In the order of their names, as their weights are."""
    if asks == "one":
        return LinUCB(task=task), Thompson(task=task)
    return Ensemble(task=task), Exp4(task=task, restart="cusum", share=0.01), LinUCB(task=task)
