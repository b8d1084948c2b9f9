"""For those who do not want to choose: several policies learn from the same feedback, and the best of them decides."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from selector.decisions import Answer, Decision, Query, Selection
from selector.policies.advice import answer_of, averaged, chances_of, voted
from selector.policies.ensemble import Ensemble
from selector.policies.exp4 import Exp4
from selector.policies.linear_thompson import LinearThompson
from selector.policies.linucb import LinUCB
from selector.policies.single import Single, asked, draw, only_answer
from selector.policies.tally import Tally
from selector.policies.thompson import Thompson
from selector.policies.vote import everyone
from selector.policies.weights import Weights
from selector.policy import LearnsFrom, Losses, Policy, Predictions, Selections

Advice = dict[str, float]
"""How likely a policy would have answered what each model said, up to a common factor; empty if it says nothing."""

_IMPLICIT = 0.05  # gamma of Exp3-IX, which bounds what one unlikely feedback can do


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
    and draws it from the mixture of what `thompson`, `linear_thompson` and `linucb` would ask, so the probability is
    exact. Whoever is asked, all of the policies learn from it.

    `learning_rate` is eta, `share` the fixed share. If labels tell the losses of all models, over T feedbacks the mean
    loss exceeds that of the best of the N policies by at most ln(N) / (eta T) + eta / 8, but for the share. If the
    loss of one alone is known, a policy that would have asked it with probability q, where it was asked with p, has the
    estimated loss q L / (p + .05): of the policy as it is now, so late feedback does no harm.

    Auer, Cesa-Bianchi, Freund, Schapire (SIAM J. Comput. 2002), Exp4, its experts being policies that learn; Agarwal,
    Luo, Neyshabur, Schapire: Corralling a band of bandit algorithms (COLT 2017); Neu: Explore no more (NIPS 2015).

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
    learning_rate: Annotated[float, Meta(gt=0)] = 0.1
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.001

    @property
    def policies(self) -> tuple[Policy[Any], ...]:
        """Those that it mixes."""
        if self.asks == "one":
            return Thompson(task=self.task), LinearThompson(task=self.task), LinUCB(task=self.task)
        return Ensemble(task=self.task), Exp4(task=self.task, restart="cusum", share=0.01), LinUCB(task=self.task)

    def initial_state(self, models: Sequence[str]) -> AutoState:
        names = [policy.name for policy in self.policies]
        states = [policy.initial_state(models) for policy in self.policies]
        return AutoState(Tally().with_models(models), Weights(Tally()).with_models(names), states)

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

    def observe(self, state: AutoState, decision: Decision, losses: Losses) -> AutoState:
        known = {model: loss for model, loss in losses.items() if model in state.tally.models}
        if known:
            steps = []
            for policy, s in zip(self.policies, state.states, strict=True):
                loss = self._loss(policy, s, decision, known)
                if loss is not None:
                    steps.append((policy.name, self.learning_rate * loss))
            state.weights.learn(steps, self.share)
        for model, loss in losses.items():
            state.tally.add(model, loss)
        pairs = zip(self.policies, state.states, strict=True)
        state.states = [policy.observe(s, decision, losses) for policy, s in pairs]
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
        mixture = [0.0] * len(query.available)
        weights = state.weights.of(state.weights.tally.models)
        total = sum(weights)
        for policy, s, weight in zip(self.policies, state.states, weights, strict=True):
            for i, chance in enumerate(chances_of(policy, s, query)):
                mixture[i] += chance * weight / total
        return mixture

    def _loss(self, policy: Policy[Any], state: Any, decision: Decision, known: Losses) -> float | None:
        """What this policy would have lost, or an estimate of it; None if that cannot be told."""
        advice = self._advice(policy, state, decision)
        part = sum([advice.get(model, 0.0) for model in known])
        if self.asks == "all" or all(model in known for model in decision.query.available):
            return sum([advice.get(model, 0.0) * loss for model, loss in known.items()]) / part if part > 0.0 else None
        picked = [(model, p) for model, p in asked(decision) if model in known]
        return sum([advice.get(model, 0.0) * known[model] / (p + _IMPLICIT) for model, p in picked])

    def _advice(self, policy: Policy[Any], state: Any, decision: Decision) -> Advice:
        """How likely the policy would have answered what each model said, by its state as it is now."""
        query, predictions = decision.query, decision.predictions
        if self.asks == "one":
            return dict(zip(query.available, chances_of(policy, state, query), strict=True))
        if self.task == "regression" and not isinstance(policy, Single):
            return {model: told["weight"] for model, told in policy.describe(state).items()}
        output = answer_of(policy, state, query, decision.selections, predictions).output
        return {model: 1.0 for model, prediction in predictions.items() if prediction.output == output}
