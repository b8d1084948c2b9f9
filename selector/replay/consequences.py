"""What would have come of a decision: its loss, where the log tells it, and its cost."""

from __future__ import annotations

from collections.abc import Mapping

from selector.decisions import Decision, Label, Prediction
from selector.errors import InvalidLabel
from selector.losses import Loss, loss_of_answer
from selector.replay.rehearsal import Judged


def unseen(decision: Decision, judged: Judged) -> bool:
    """Whether it asked a model of which the log does not know what it would have said."""
    return bool(_asked(decision) - set(judged.predictions) - judged.unanswered)


def loss_of(decision: Decision, judged: Judged, loss: Loss, default: Label | None) -> float | None:
    """The loss of its answer; None where the feedback does not tell it: a reward only tells that of the logged one.

    No answer is judged as the `default` output would be; without one, it loses all.
    """
    answer, feedback = decision.answer, judged.feedback
    try:
        if answer.output is None:
            if feedback.label is None or default is None:
                return 1.0
            return loss(Prediction(default), feedback.label)
        if feedback.label is None and answer.output != judged.decision.answer.output:
            return None
        return loss_of_answer(decision, feedback, loss)
    except InvalidLabel:
        return None


def cost_of(decision: Decision, known: Mapping[str, float]) -> float:
    """What the models that were asked took: their own account, else what they cost according to `known`."""
    own = {model: p.cost for model, p in decision.predictions.items() if p.cost is not None}
    return sum(own.get(model, known.get(model, 0.0)) for model in _asked(decision))


def _asked(decision: Decision) -> set[str]:
    return {model for selection in decision.selections for model in selection.models}
