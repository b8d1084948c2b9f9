"""Decisions, rows, events and a policy, as small as they can be."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from msgspec import Struct

from feedback_store.contract import Pending, Row
from selector.decisions import Answer, Decision, Event, Feedback, Label, Prediction, Query, Selection, encode
from selector.policy import LearnsFrom, Losses, Policy, Predictions, Selections


def a_decision(query: int, application: str = "digits", user: str | None = None) -> Decision:
    return Decision(
        application,
        Query(query, ("cnn:1", "svm:1"), user),
        float(query),
        "counting",
        (Selection(("svm:1",), 0.5),),
        {"svm:1": Prediction(7, score=0.9)},
        Answer(7),
    )


def a_row(query: int, application: str = "digits", user: str | None = None, client: str | None = None) -> Row:
    return Row(query, application, user, client, encode(a_decision(query, application, user)))


def an_event(event: Event, application: str = "digits", user: str | None = None, at: float = 1.0) -> Pending:
    return Pending(application, user, at, event)


def a_label(*queries: int, label: Label = 7, application: str = "digits", user: str | None = None) -> Pending:
    return an_event(Feedback(queries, label=label), application, user)


class Counts(Struct):
    """How often each model was scored, and its summed loss."""

    models: dict[str, list[float]]


class Counting(Policy[Counts], frozen=True, kw_only=True, tag="counting"):
    """Learns how often and how much each model lost: any two folds that differ show it."""

    state_type: ClassVar[type] = Counts
    learns_from: ClassVar[LearnsFrom] = "labels"

    def initial_state(self, models: Sequence[str]) -> Counts:
        return Counts({})

    def with_models(self, state: Counts, models: Sequence[str]) -> Counts:
        return Counts({model: state.models.get(model, [0.0, 0.0]) for model in models})

    def select(
        self, state: Counts, query: Query, selections: Selections, predictions: Predictions, rng: Random
    ) -> None:
        return None

    def combine(self, state: Counts, query: Query, selections: Selections, predictions: Predictions) -> Answer:
        return Answer(None)

    def observe(self, state: Counts, decision: Decision, losses: Losses) -> Counts:
        for model, loss in losses.items():
            n, total = state.models.get(model, [0.0, 0.0])
            state.models[model] = [n + 1, total * 0.99 + loss]
        return state

    def blend(self, population: Counts, own: Counts, strength: float) -> Counts:
        return own

    def describe(self, state: Counts) -> dict[str, dict[str, float]]:
        return {}
