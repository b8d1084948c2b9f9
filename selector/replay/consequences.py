"""What would have come of a decision: its loss, where the log tells it, and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from selector.decisions import Decision, Label, Prediction
from selector.errors import InvalidLabel
from selector.losses import Loss, loss_of_answer
from selector.replay.rehearsal import Judged


def unseen(decision: Decision, judged: Judged) -> bool:
    """Whether it asked a model of which the log does not know what it would have said."""
    return bool(_asked(decision) - set(judged.predictions) - judged.unanswered)


def loss_of(decision: Decision, judged: Judged, loss: Loss, default: Label | None) -> float | None:
    """The loss of its answer; None where the feedback does not tell it: a reward only tells that of the logged one.

    No answer is judged as the `default` output is, which is given in its place; without one, it loses all.
    """
    answer, feedback = decision.answer, judged.feedback
    output = default if answer.output is None else answer.output
    if output is None:
        return 1.0
    if feedback.label is None and output != judged.decision.answer.output:
        return None
    if answer.output is not None and not (answer.default and answer.withheld is None):
        return loss_of_answer(decision, feedback, loss)
    if feedback.label is None:
        return None if feedback.reward is None else 1.0 - feedback.reward
    with suppress(InvalidLabel):
        return loss(Prediction(output), feedback.label)
    return None


def cost_of(decision: Decision, known: Mapping[str, float]) -> float:
    """What the models that were asked took: their own account, else what they cost according to `known`."""
    own = {model: p.cost for model, p in decision.predictions.items() if p.cost is not None}
    return sum(own.get(model, known.get(model, 0.0)) for model in _asked(decision))


def _asked(decision: Decision) -> set[str]:
    return {model for selection in decision.selections for model in selection.models}
