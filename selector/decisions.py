"""The vocabulary: what is asked, chosen, predicted, answered, logged and learned from.

All values are frozen. They encode to msgpack as arrays, so fields may be added at the end only.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, msgpack

Label = bool | int | float | str
"""A class, or a number to be estimated."""

HealthState = Literal["healthy", "suspect", "quarantined", "probing"]

Feature = int | float | str


class Prediction(Struct, frozen=True, array_like=True, gc=False):
    """What one model said of one input.

    `score` is the model's own confidence in [0, 1], not calibrated; `probabilities` is its
    distribution over classes; `cost` is what this input really took, in the owner's unit.
    """

    output: Label
    score: float | None = None
    probabilities: tuple[tuple[Label, float], ...] | None = None
    cost: float | None = None


class Query(Struct, frozen=True, array_like=True, gc=False):
    """One question, as a policy sees it.

    `available` are the models that may be asked now, sorted: up, not quarantined, able to meet the
    deadline. It is logged, because a probability means nothing without the set it was drawn from.
    `about` is what is known of the models at that moment, by model: cost, latency in milliseconds, version; empty if
    the policy does not read it.
    """

    id: int
    available: tuple[str, ...]
    user: str | None = None
    features: dict[str, Feature] = {}
    about: dict[str, dict[str, Feature]] = {}


class Selection(Struct, frozen=True, array_like=True, gc=False, repr_omit_defaults=True):
    """One round: the models asked together, and the exact probability of this choice given the rounds before.

    `available` are those that could be asked in this round, if fewer than of the query: the others are too slow now.
    """

    models: tuple[str, ...]
    probability: float
    available: tuple[str, ...] | None = None


class Answer(Struct, frozen=True, array_like=True, gc=False):
    """What the application gets. `output` is None when nothing can be said.

    `confidence` in [0, 1] or None where the policy has none; `sure` is None without a target error;
    `explanation` says why the output is the application's default; `withheld` is what would have been answered, had
    it been sure. `interval` is (low, high) around a number, or None. `top` are the labels that are the most likely,
    the output (or what is withheld) first, where the policy names several.
    """

    output: Label | None
    confidence: float | None = None
    sure: bool | None = None
    default: bool = False
    explanation: str | None = None
    withheld: Label | None = None
    interval: tuple[float, float] | None = None
    top: tuple[Label, ...] = ()


class Decision(Struct, frozen=True, array_like=True, gc=False):
    """All that led to one answer, as logged: enough to learn from it, and to evaluate another policy on it.

    `at` is in seconds since the epoch. `policy` names the one that chose; it is empty where none did, and all that
    were available were asked for the sake of a label. `predictions` are those that had arrived when the answer left.
    `shadows` are queries to models that the policy did not ask, each with its probability. `latencies` are how many
    microseconds it took each model from being asked to its prediction.
    """

    application: str
    query: Query
    at: float
    policy: str
    selections: tuple[Selection, ...]
    predictions: dict[str, Prediction]
    answer: Answer
    shadows: tuple[Selection, ...] = ()
    latencies: dict[str, int] = {}


class Feedback(Struct, frozen=True, array_like=True, tag="feedback", gc=False):
    """The truth about one decision, or a reward in [0, 1] for an episode of several.

    Exactly one of `label` and `reward` is given. `joined` are predictions for the same input that
    the decision lacks (late, or from the cache): written here, so that the fold needs no cache.
    """

    queries: tuple[int, ...]
    label: Label | None = None
    reward: float | None = None
    joined: dict[str, Prediction] = {}


class ModelsChanged(Struct, frozen=True, array_like=True, tag="models", gc=False):
    """From here on the application's models are these, sorted."""

    models: tuple[str, ...]


class PolicyChanged(Struct, frozen=True, array_like=True, tag="policy", gc=False):
    """From here on decisions are made by this policy (its encoded settings): what earlier answers were worth ends.

    One that was adopted on the strength of a replay takes the place of the configured policy `instead_of`, and
    `evidence` says what for; both are empty where the configuration itself changed.
    """

    policy: str
    instead_of: str = ""
    evidence: str = ""


class HealthChanged(Struct, frozen=True, array_like=True, tag="health", gc=False):
    """From here on a model's health is this; `evidence` says why, for people.

    `levels` is what a recovery will be told by: of each signal, how it was while the model was well and
    how it was while it failed, both in [0, 1].
    """

    model: str
    state: HealthState
    evidence: str
    levels: dict[str, tuple[float, float]] = {}


Event = Feedback | ModelsChanged | PolicyChanged | HealthChanged


class Entry(Struct, frozen=True):
    """One event as it stands in the log, with the decisions that it is about, in the order of `queries`.

    `position` is its place in commit order, from 1. `user` is None for events about the application.
    """

    position: int
    application: str
    user: str | None
    at: float
    event: Event
    decisions: tuple[Decision, ...] = ()


encode = msgpack.Encoder(order="deterministic").encode
decode_decision = msgpack.Decoder(Decision).decode
decode_event = msgpack.Decoder(Event).decode
