"""How far answers can be trusted: what the fold keeps for it, and what it says of the next one."""

from __future__ import annotations

from contextlib import suppress

from msgspec import Struct, field

from selector.confidence import Threshold, Trial
from selector.decisions import Answer, Decision, Feedback, Label
from selector.errors import InvalidLabel
from selector.interval import Interval, Residuals
from selector.losses import Loss, loss_of_answer, number
from selector.policy import Predictions

WRONG = 0.5
"""Losses from here on make an answer wrong."""


class Record(Struct, array_like=True):
    """What answers have turned out to be worth."""

    trial: Trial = field(default_factory=Trial)
    residuals: Residuals = field(default_factory=Residuals)


class Certainty(Struct, frozen=True, kw_only=True):
    """A threshold for sure answers and an interval around numbers, where they are wanted."""

    threshold: Threshold | None = None
    interval: Interval | None = None

    def judge(self, record: Record, combined: Answer, predictions: Predictions) -> Answer:
        """The answer that was combined from `predictions`, with what can be said of it."""
        sure = None if self.threshold is None else self.threshold.sure(record.trial, combined.confidence)
        around, output = None, combined.output
        if self.interval is not None and output is not None and not isinstance(output, str):
            outputs = [prediction.output for prediction in predictions.values()]
            around = self.interval.around(record.residuals, float(output), outputs)
        return Answer(output, combined.confidence, sure, interval=around, top=combined.top)

    def observe(self, record: Record, decision: Decision, feedback: Feedback, loss: Loss) -> Record:
        """What is known after this feedback, which the loss can take; the caller gives `record` up.

        Only answers that were judged count, for nobody saw the others.
        """
        answer = decision.answer
        if self.threshold is not None and answer.sure is not None and answer.confidence is not None:
            answer_loss = loss_of_answer(decision, feedback, loss)
            if answer_loss is not None:
                record.trial = self.threshold.observe(record.trial, answer.confidence, answer_loss >= WRONG)
        if self.interval is not None and feedback.label is not None:
            _measure(self.interval, record.residuals, decision, feedback.label)
        return record

    def describe(self, record: Record) -> dict[str, float | None]:
        """For people: `sure_from` is the confidence from which answers are sure (None: not known yet), after a test on
        `labels` answers that had it, of which `errors` were wrong; `typical_error` is the mean residual of numbers.
        """
        known: dict[str, float | None] = {}
        if self.threshold is not None:
            known["sure_from"] = self.threshold.confidence(record.trial)
            known["labels"], known["errors"] = record.trial.tested
        if self.interval is not None:
            known["typical_error"] = record.residuals.scale if record.residuals.recent else None
        return known


def _measure(interval: Interval, residuals: Residuals, decision: Decision, label: Label) -> None:
    answer = decision.answer
    output = answer.withheld if answer.default else answer.output
    if output is None:
        return
    outputs = [prediction.output for prediction in decision.predictions.values()]
    with suppress(InvalidLabel):  # of what is no number nothing is claimed
        interval.observe(residuals, number(output), outputs, answer.interval, number(label))
