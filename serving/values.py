"""What passes between the parts of the server: inputs, requests, replies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import UNSET, Struct, UnsetType

from selector.decisions import Feature, Label, Prediction
from selector.errors import WindjammerError


class Input(Struct, frozen=True, array_like=True, gc=False):
    """One input, decoded once: hashable, so that it is also the cache's key.

    Numeric datatypes: `data` holds little-endian values in C order, `shape` is the shape of one
    input. BYTES: the bytes themselves, shape (). JSON: the value as deterministic msgpack, shape ().
    """

    datatype: str
    shape: tuple[int, ...]
    data: bytes


PAIR = 150
"""Bytes of one class with its probability, as measured on CPython 3.11."""


def extent(prediction: Prediction) -> int:
    """Bytes that a prediction takes beyond what all of them do: its text and its distribution."""
    pairs = 0 if prediction.probabilities is None else len(prediction.probabilities)
    text = len(prediction.output) if isinstance(prediction.output, str) else 0
    return text + PAIR * pairs


class PredictRequest(Struct, frozen=True, gc=False):
    """A decoded query. `timeout` in seconds, None for the application's objective."""

    input: Input
    user: str | None = None
    context: dict[str, Feature] = {}
    timeout: float | None = None
    client_id: str | None = None


class ObserveRequest(Struct, frozen=True, gc=False):
    """Decoded feedback about decisions: exactly one of `label` and `reward` (in [0, 1]) is given.

    An id is an int where it is ours, a str where the client gave it.
    """

    queries: tuple[int | str, ...]
    label: Label | None = None
    reward: float | None = None


class UpdateRequest(Struct, frozen=True, gc=False):
    """A labelled input without an earlier predict: all models are asked and scored, the answer is discarded."""

    input: Input
    label: Label
    user: str | None = None
    context: dict[str, Feature] = {}
    client_id: str | None = None


class PredictReply(Struct, frozen=True, gc=False):
    """The answer on the wire.

    `costs` is what the input took, of models that report it; `top` are the likeliest labels, of policies that name
    several.
    """

    query_id: str
    output: Label
    default: bool
    confidence: float | None
    sure: bool | None
    models: dict[str, Label]
    policy: str
    default_explanation: str | UnsetType = UNSET
    interval: tuple[float, float] | UnsetType = UNSET
    costs: dict[str, float] | UnsetType = UNSET
    top: tuple[Label, ...] | UnsetType = UNSET


class ObserveReply(Struct, frozen=True, gc=False):
    """`applied`, or `duplicate` where the same feedback had been applied before."""

    status: str
    query_id: str | UnsetType = UNSET


class Waiter(Protocol):
    """Whoever asked a model. Exactly one of the two is called, once for each model asked, on the loop's thread."""

    def arrived(self, model: str, prediction: Prediction) -> None:
        """The model answered."""

    def failed(self, model: str, error: WindjammerError) -> None:
        """It did not, and will not: `error` says why."""


Reply = Callable[[PredictReply | ObserveReply | Exception], None]
