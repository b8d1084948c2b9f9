"""What became of the questions: answers, truths, and how often they were wrong."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from msgspec import Struct, field

STAGES = ("before", "during", "after")
"""Relative to the failure of the best model."""


class Outcome(Struct, frozen=True):
    """One question, answered, and its truth, acknowledged.

    `sure` is None where the application has no target error. `models` is what each model that was
    asked said, `costs` what the image took of those that report it. `seconds` is from sending the query to its
    answer; `repeats` counts requests that had to be sent again because the connection was lost; `duplicate`
    tells that the truth had been taken, and only the acknowledgement was lost.
    """

    application: str
    stage: str
    label: int
    query: str
    output: int
    default: bool
    sure: bool | None
    models: dict[str, int]
    seconds: float
    repeats: int = 0
    duplicate: bool = False
    costs: dict[str, float] = {}


class Journal(Struct):
    """All outcomes, and what the server refused: `predict 503: ...`."""

    outcomes: list[Outcome] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def of(self, stage: str | None = None, application: str | None = None) -> list[Outcome]:
        """The outcomes of a stage and an application; None for all."""
        return [
            outcome
            for outcome in self.outcomes
            if stage in (None, outcome.stage) and application in (None, outcome.application)
        ]


class Share(Struct, frozen=True):
    """`part` of `whole`."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """In [0, 1]; 0 of nothing is 0."""
        return self.part / self.whole if self.whole else 0.0

    def __str__(self) -> str:
        return f"{self.value:.1%}" if self.whole else "-"


def share(flags: Iterable[bool]) -> Share:
    """How many of the flags are set."""
    flags = list(flags)
    return Share(sum(flags), len(flags))


def answer_error(outcomes: Iterable[Outcome]) -> Share:
    """Wrong answers among the answers that were not the default."""
    return share(outcome.output != outcome.label for outcome in outcomes if not outcome.default)


def default_share(outcomes: Iterable[Outcome]) -> Share:
    """Default answers among all."""
    return share(outcome.default for outcome in outcomes)


def sure_share(outcomes: Iterable[Outcome]) -> Share:
    """Sure answers among those of which that is known."""
    return share(outcome.sure for outcome in outcomes if outcome.sure is not None)


def sure_error(outcomes: Iterable[Outcome]) -> Share:
    """Wrong answers among the sure ones."""
    return share(outcome.output != outcome.label for outcome in outcomes if outcome.sure)


def model_error(outcomes: Iterable[Outcome], model: str) -> Share:
    """How often the model was wrong, of the times that it answered."""
    return share(outcome.models[model] != outcome.label for outcome in outcomes if model in outcome.models)


def quantile(seconds: Iterable[float], q: float) -> float:
    """The smallest value that at least the share `q` does not exceed; 0 of nothing."""
    ordered = sorted(seconds)
    return ordered[max(0, ceil(q * len(ordered)) - 1)] if ordered else 0.0
