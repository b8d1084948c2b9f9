"""What several policies would say of one query, made one answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from selector.decisions import Answer, Label, Query
from selector.policies.single import Single
from selector.policy import Policy, Predictions, Selections

Weighed = Sequence[tuple[Answer, float]]
"""Answers, each with the weight of the policy that gives it."""


def chances_of(policy: Policy[Any], state: Any, query: Query) -> list[float]:
    """The probability with which a policy that asks one model asks each of `query.available`."""
    assert isinstance(policy, Single)
    chances = policy.chances(state, query)
    total = sum(chances)
    return [chance / total for chance in chances]


def answer_of(
    policy: Policy[Any], state: Any, query: Query, selections: Selections, predictions: Predictions
) -> Answer:
    """What a policy answers where all models were asked: one that asks a single model, what the likeliest one said."""
    if not isinstance(policy, Single):
        return policy.combine(state, query, selections, predictions)
    chances = dict(zip(query.available, policy.chances(state, query), strict=True))
    here = [model for model in query.available if model in predictions]
    return Answer(predictions[max(here, key=chances.__getitem__)].output) if here else Answer(None)


def voted(said: Weighed) -> Answer:
    """The output with most weight; its confidence is that of those who say it, by their weights."""
    votes: dict[Label, float] = {}
    for answer, weight in said:
        if answer.output is not None:
            votes[answer.output] = votes.get(answer.output, 0.0) + weight
    if not votes:
        return Answer(None)
    output = max(votes, key=votes.__getitem__)
    sure = [(a.confidence, weight) for a, weight in said if a.output == output and a.confidence is not None]
    total = sum([weight for _, weight in sure])
    return Answer(output, sum([c * weight for c, weight in sure]) / total if total > 0.0 else None)


def averaged(said: Weighed) -> Answer:
    """The mean of numbers by weight; its confidence is the least of theirs."""
    here = [(answer, weight) for answer, weight in said if isinstance(answer.output, bool | int | float)]
    numbers = [float(answer.output) for answer, _ in here if not isinstance(answer.output, str | None)]
    total = sum([weight for _, weight in here])
    if total == 0.0:
        return Answer(None)
    mean = sum([number * weight for number, (_, weight) in zip(numbers, here, strict=True)]) / total
    mean = min(max(numbers), max(min(numbers), mean))  # rounding must not leave their range
    return Answer(mean, min([a.confidence for a, _ in here if a.confidence is not None], default=None))
