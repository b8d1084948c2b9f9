"""Contextual bandits by Vowpal Wabbit: SquareCB over the models, given the query's features and its user."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from selector.decisions import Decision, Query
from selector.policies.single import Single, asked
from selector.policies.tally import Tally
from selector.policies.vowpal_state import Learned, VowpalState
from selector.policies.vowpal_text import example
from selector.policy import LearnsFrom, Losses


class Vowpal(Single[VowpalState], frozen=True, kw_only=True, tag="vowpal"):
    """Asks one model by inverse gap weighting of the losses that a linear model expects, given features and user.

    `learning_rate` is the linear model's; gamma = `gamma_scale` * n ** `gamma_exponent` after n feedbacks: the
    greater, the less it explores. One state serves all users: the user is a feature. At each `save_every` feedbacks
    what was learned is saved as bytes. A model that joins is known by its name only.

    Foster & Rakhlin: Beyond UCB (ICML 2020), algorithm 1; `--cb_explore_adf --squarecb` of Vowpal Wabbit.

    >>> from random import Random
    >>> from selector.decisions import Query
    >>> policy = Vowpal()
    >>> query = Query(id=1, available=("cnn", "svm"), user="ann", features={"length": 12, "language": "en"})
    >>> policy.select(policy.initial_state(query.available), query, [], {}, Random(1))
    Selection(models=('cnn',), probability=0.5)
    """

    state_type: ClassVar[type] = Learned
    learns_from: ClassVar[LearnsFrom] = "reward"
    per_user: ClassVar[bool] = False

    learning_rate: Annotated[float, Meta(gt=0)] = 0.5
    gamma_scale: Annotated[float, Meta(gt=0)] = 10.0
    gamma_exponent: Annotated[float, Meta(ge=0)] = 0.5
    save_every: Annotated[int, Meta(ge=1)] = 100

    def initial_state(self, models: Sequence[str]) -> VowpalState:
        return VowpalState(Learned(Tally().with_models(models)))

    def with_models(self, state: VowpalState, models: Sequence[str]) -> VowpalState:
        learned = state.learned
        tally = learned.tally.with_models(models)
        return VowpalState(Learned(tally, learned.model, list(learned.since), learned.feedbacks))

    def chances(self, state: VowpalState, query: Query) -> Sequence[float]:
        chances: list[float] = state.live(self._arguments).predict(example(query))
        return chances if isfinite(sum(chances)) and sum(chances) > 0 else [1.0] * len(query.available)

    def observe(self, state: VowpalState, decision: Decision, losses: Losses) -> VowpalState:
        query, tally = decision.query, state.learned.tally
        known = losses.keys() & set(query.available) & set(tally.models)
        scored = [(model, losses[model], p) for model, p in asked(decision) if model in known and p > 0]
        if scored:
            state.learn([example(query, score) for score in scored], self._arguments, self.save_every)
        for model, loss, _ in scored:
            tally.add(model, loss)
        return state

    def blend(self, population: VowpalState, own: VowpalState, strength: float) -> VowpalState:
        return population

    def describe(self, state: VowpalState) -> dict[str, dict[str, float]]:
        tally = state.learned.tally
        return tally.describe(self.chances(state, Query(0, tally.models))) if tally.models else {}

    def encode(self, state: VowpalState) -> bytes:
        return msgspec.msgpack.encode(state.learned, order="deterministic")

    def decode(self, data: bytes) -> VowpalState:
        return VowpalState(msgspec.msgpack.decode(data, type=Learned))

    @property
    def _arguments(self) -> list[str]:
        settings = {
            "learning_rate": self.learning_rate,
            "gamma_scale": self.gamma_scale,
            "gamma_exponent": self.gamma_exponent,
        }
        fixed = ["--cb_explore_adf", "--squarecb", "--cb_type", "mtr", "-q", "ca", "-q", "ua"]
        return fixed + [part for name, value in settings.items() for part in (f"--{name}", repr(value))]
