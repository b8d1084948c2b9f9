"""Contextual bandits by Vowpal Wabbit: one model a query, given features of the query, its user and the models."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from selector.decisions import Decision, Query
from selector.policies.single import Single, asked
from selector.policies.tally import Tally
from selector.policies.vowpal_state import Learned, VowpalState
from selector.policies.vowpal_text import example
from selector.policy import LearnsFrom, Losses


class Vowpal(Single[VowpalState], frozen=True, kw_only=True, tag="vowpal"):
    """Asks one model by the losses that linear models expect, given features of the query, its user and the models.

    `exploration` is how: by inverse gap weighting (`squarecb`), by a cover of policies that differ (`cover`), by
    policies that each saw another sample (`bag`), or the model whose loss may be the least (`regcb`). `policies` is the
    number of them in a cover or a bag; `psi` is what those of a cover are paid for being different. In squarecb
    gamma = `gamma_scale` * n ** `gamma_exponent` after n feedbacks: the greater, the less it explores.
    `learning_rate` is the linear models'.

    Probabilities are as Vowpal Wabbit gives them: regcb asks the best, or any of equals, and a bag none but the models
    that some of its policies prefer. One state serves all users: the user is a feature. A model that joins is known by
    `Query.about`, and a new version also by the versions before it.

    At each `save_every` feedbacks what was learned is saved as bytes. From these squarecb and regcb go on as if nothing
    had been saved. Of a cover or a bag Vowpal Wabbit saves the scale of features as its first policy saw them; the
    other policies learn it anew, on every replica alike.

    Foster & Rakhlin: Beyond UCB (ICML 2020), algorithm 1; Agarwal et al.: Taming the monster (ICML 2014), online cover;
    Foster et al.: Practical contextual bandits with regression oracles (ICML 2018), the optimistic RegCB;
    all of them in Bietti, Agarwal, Langford: A contextual bandit bake-off (JMLR 2021). Options
    `--cb_explore_adf` with `--squarecb`, `--cover`, `--bag`, `--regcbopt` of Vowpal Wabbit.

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
    contextual: ClassVar[bool] = True
    reads_about: ClassVar[bool] = True

    exploration: Literal["squarecb", "cover", "bag", "regcb"] = "squarecb"
    policies: Annotated[int, Meta(ge=1, le=100)] = 5
    psi: Annotated[float, Meta(ge=0)] = 0.1
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
        chances: list[float] = state.live(self.arguments).predict(example(query))
        return chances if isfinite(sum(chances)) and sum(chances) > 0 else [1.0] * len(query.available)

    def observe(self, state: VowpalState, decision: Decision, losses: Losses) -> VowpalState:
        query, tally = decision.query, state.learned.tally
        known = losses.keys() & set(query.available) & set(tally.models)
        scored = [(model, losses[model], p) for model, p in asked(decision) if model in known and p > 0]
        if scored:
            state.learn([example(query, score) for score in scored], self.arguments, self.save_every)
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
    def arguments(self) -> list[str]:
        """The options of Vowpal Wabbit: what learns `example`s as this policy does."""
        gamma = ["--gamma_scale", repr(self.gamma_scale), "--gamma_exponent", repr(self.gamma_exponent)]
        explore = {
            "squarecb": ["--squarecb", *gamma],
            "cover": ["--cover", str(self.policies), "--psi", repr(self.psi)],
            "bag": ["--bag", str(self.policies)],
            "regcb": ["--regcbopt"],
        }[self.exploration]
        learn = ["--cb_type", "mtr", "--learning_rate", repr(self.learning_rate)]
        return ["--cb_explore_adf", *explore, *learn, "-q", "ca", "-q", "ua", "-q", "cm", "-q", "um"]
