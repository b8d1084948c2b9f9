"""The contract of a selection policy.

A policy is its settings, immutable; all that it learns is in the state that it is handed.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct, StructMeta

from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.losses import Loss

State = TypeVar("State")

LearnsFrom = Literal["nothing", "reward", "labels"]
Task = Literal["classification", "regression"]
Selections = Sequence[Selection]
Predictions = Mapping[str, Prediction]
Losses = Mapping[str, float]


class _PolicyMeta(StructMeta, ABCMeta):
    """Structs that may have abstract methods."""


class Study(Struct, Generic[State], metaclass=_PolicyMeta, frozen=True, kw_only=True):
    """How a state learns from feedback: all that a fold needs.

    It declares `state_type`, a msgspec struct (or overrides `encode` and `decode`). No method reads a clock or a
    global random generator; none but `observe` may change a state.
    """

    state_type: ClassVar[type]

    @abstractmethod
    def initial_state(self, models: Sequence[str]) -> State:
        """The state before any feedback; equal to `with_models(initial_state(()), models)`."""

    @abstractmethod
    def with_models(self, state: State, models: Sequence[str]) -> State:
        """Models joined or left; a new one starts from the policy's stated prior. `models` is sorted."""

    @abstractmethod
    def observe(self, state: State, decision: Decision, losses: Losses) -> State:
        """What is known after this feedback; losses in [0, 1], by model, where known.

        The caller gives `state` up, so its buffers may be reused. Feedback may be late and out of
        order: every probability needed stands in `decision`. Models that the state does not know are ignored.
        """

    def judged_by(self, loss: Loss) -> Loss:
        """The loss by which models are scored for `observe`, where `loss` is the application's."""
        return loss

    @abstractmethod
    def describe(self, state: State) -> dict[str, dict[str, float]]:
        """What is known of each model, for people: `{model: {"weight": ..., "loss": ..., "count": ...}}`."""

    def encode(self, state: State) -> bytes:
        """A state as bytes: equal states give equal bytes."""
        return msgspec.msgpack.encode(state, order="deterministic")

    def decode(self, data: bytes) -> State:
        """The inverse of `encode`. Raises msgspec.ValidationError on bytes of another kind."""
        state: State = msgspec.msgpack.decode(data, type=self.state_type)
        return state


class Policy(
    Study[State],
    Generic[State],
    metaclass=_PolicyMeta,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="name",
):
    """How to choose among models, how to combine their answers, and how to learn from feedback.

    A subclass is a frozen struct whose tag is its name in the configuration and whose fields are
    its settings. It declares what it `learns_from`: nothing, the loss of models that it asked (`reward`), or that of
    every model that is known (`labels`). `per_user` tells the application whether to keep a state for
    each user; without, the population's is the only one. `contextual` tells whether it reads a query's features
    or user, `reads_about` whether it reads what a query tells about the models, `asks_on` whether it may ask again
    after its first round.
    """

    learns_from: ClassVar[LearnsFrom]
    per_user: ClassVar[bool] = True
    contextual: ClassVar[bool] = False
    reads_about: ClassVar[bool] = False
    asks_on: ClassVar[bool] = False

    task: Task = "classification"

    @abstractmethod
    def select(
        self, state: State, query: Query, selections: Selections, predictions: Predictions, rng: Random
    ) -> Selection | None:
        """The models to ask next, of `query.available`, with the exact probability of this choice given `selections`.

        Called again with the predictions so far, until it answers None. Models in `query.available`
        that the state does not know are treated as having just joined; none available means None.
        """

    @abstractmethod
    def combine(self, state: State, query: Query, selections: Selections, predictions: Predictions) -> Answer:
        """The answer from whatever has arrived; `output` is None if that is nothing.

        Only `output` and `confidence` are the policy's to set. What was asked and is missing lowers
        the confidence by what it is worth.
        """

    @abstractmethod
    def blend(self, population: State, own: Any, strength: float) -> State:
        """A user's `own` state, of `personal`, met with everyone's: a new state; neither argument changes.

        The new one is to be read: it may share parts with them. The population's counts for `strength` of the user's
        feedbacks (at least; infinite: users do not differ), so a new user is answered as the population is.
        """

    @property
    def personal(self) -> Study[Any]:
        """How a user's own entries are learned from: as everyone's are, unless a user's state is to be smaller."""
        return self

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return str(self.__struct_config__.tag)

    @property
    def settings(self) -> str:
        """Name and settings as canonical JSON: two policies are the same if these are."""
        return msgspec.json.encode(self, order="deterministic").decode()
