"""What answers took: by the models' own account where they give one, else as configured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean

from serving.demo.outcomes import Outcome


def cost(outcome: Outcome, prices: Mapping[str, float]) -> float:
    """What the models that answered took together; `prices` is what each takes where it does not report it."""
    return sum(outcome.costs.get(model, prices[model]) for model in outcome.models)


def mean_cost(outcomes: Iterable[Outcome], prices: Mapping[str, float]) -> float:
    """Of an answer; 0 of nothing."""
    return fmean([cost(outcome, prices) for outcome in outcomes] or [0.0])


def reported(outcomes: Iterable[Outcome], model: str) -> list[float]:
    """What the model said that its inputs took, wherever it did."""
    return [outcome.costs[model] for outcome in outcomes if model in outcome.costs]
