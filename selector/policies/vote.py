"""Many answers made one: the weighted vote, the weighted mean, and what missing answers cost."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from selector.decisions import Answer, Label, Query, Selection
from selector.policy import Predictions, Selections


def everyone(query: Query, selections: Selections) -> Selection | None:
    """All available models in one round, for certain; None when they have been asked or there are none."""
    return None if selections or not query.available else Selection(query.available, 1.0)


def weighted_vote(asked: Sequence[str], logs: Sequence[float], predictions: Predictions) -> Answer:
    """The label with most weight; ties go to the one whose first voter comes first in `asked`.

    Confidence is that label's share of the weight of all who were asked. `logs` are log weights,
    aligned with `asked`.
    """
    outputs = [predictions[model].output for model in asked if model in predictions]
    if not outputs:
        return Answer(None)
    here = logs
    if len(outputs) < len(asked):
        here = [log for model, log in zip(asked, logs, strict=True) if model in predictions]
    if outputs.count(outputs[0]) == len(outputs):
        return Answer(outputs[0], _present(here, logs))
    top = max(here)
    votes: dict[Label, float] = {}
    for output, log in zip(outputs, here, strict=True):
        votes[output] = votes.get(output, 0.0) + exp(log - top)
    output = max(votes, key=votes.__getitem__)
    return Answer(output, votes[output] / sum(votes.values()) * _present(here, logs))


def weighted_mean(asked: Sequence[str], logs: Sequence[float], predictions: Predictions) -> Answer:
    """The mean by weight; confidence is the share of the weight that has arrived. What is no number is missing."""
    here = [(predictions[model].output, log) for model, log in zip(asked, logs, strict=True) if model in predictions]
    numbers = [(float(output), log) for output, log in here if not isinstance(output, str)]
    if not numbers:
        return Answer(None)
    top = max(log for _, log in numbers)
    total = sum(exp(log - top) for _, log in numbers)
    mean = sum(output * (exp(log - top) / total) for output, log in numbers)
    outputs = [output for output, _ in numbers]
    mean = min(max(outputs), max(min(outputs), mean))  # rounding must not leave their range
    return Answer(mean, _present([log for _, log in numbers], logs))


def _present(here: Sequence[float], asked: Sequence[float]) -> float:
    """The share of the weight of all who were asked that is here."""
    if len(here) == len(asked):
        return 1.0
    top = max(asked)
    return sum(exp(log - top) for log in here) / sum(exp(log - top) for log in asked)
