"""Losses in [0, 1]: how wrong a prediction was, given the truth or a reward."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from heapq import nlargest
from math import isfinite, log
from operator import itemgetter
from typing import Annotated

from msgspec import Meta, Struct, StructMeta

from selector.decisions import Decision, Feedback, Label, Prediction
from selector.errors import InvalidLabel

Scale = Annotated[float, Meta(gt=0)]


class _LossMeta(StructMeta, ABCMeta):
    """Structs that may have abstract methods."""


class Loss(Struct, metaclass=_LossMeta, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name"):
    """How wrong a prediction is: a pure function of prediction and label, in [0, 1]."""

    @abstractmethod
    def __call__(self, prediction: Prediction, label: Label) -> float:
        """The loss of `prediction` where `label` is the truth."""

    @abstractmethod
    def check(self, label: Label) -> None:
        """Raise InvalidLabel if this loss cannot take `label`."""


class ZeroOne(Loss, frozen=True, kw_only=True, tag="zero_one"):
    """1 if the class is not the label, else 0."""

    def __call__(self, prediction: Prediction, label: Label) -> float:
        return float(prediction.output != label)

    def check(self, label: Label) -> None:
        if isinstance(label, float) and not isfinite(label):
            raise InvalidLabel(f"a class must be finite, not {label}")


class Absolute(Loss, frozen=True, kw_only=True, tag="absolute"):
    """|y - y'| / scale, at most 1; `scale` is the error that counts as wholly wrong."""

    scale: Scale = 1.0

    def __call__(self, prediction: Prediction, label: Label) -> float:
        return min(1.0, abs(number(prediction.output) - number(label)) / self.scale)

    def check(self, label: Label) -> None:
        number(label)


class Squared(Loss, frozen=True, kw_only=True, tag="squared"):
    """((y - y') / scale)^2, at most 1; `scale` is the error that counts as wholly wrong."""

    scale: Scale = 1.0

    def __call__(self, prediction: Prediction, label: Label) -> float:
        return min(1.0, abs(number(prediction.output) - number(label)) / self.scale) ** 2

    def check(self, label: Label) -> None:
        number(label)


class LogLoss(Loss, frozen=True, kw_only=True, tag="log"):
    """-log p(label) / bound, at most 1; `bound` in nats is the loss that counts as wholly wrong.

    Without a distribution, a model that gave only its class stands for probability 1 or 0.
    """

    bound: Scale = 5.0

    def __call__(self, prediction: Prediction, label: Label) -> float:
        if prediction.probabilities is None:
            return float(prediction.output != label)
        p = dict(prediction.probabilities).get(label, 0.0)
        return min(1.0, max(0.0, -log(p) / self.bound)) if p > 0 else 1.0

    def check(self, label: Label) -> None:
        ZeroOne().check(label)


class TopK(Loss, frozen=True, kw_only=True, tag="top_k"):
    """0 if the label is among the `k` that the model takes for the most likely (`top_labels`), else 1."""

    k: Annotated[int, Meta(ge=1)] = 5

    def __call__(self, prediction: Prediction, label: Label) -> float:
        return float(all(label != likely for likely, _ in top_labels(prediction, self.k)))

    def check(self, label: Label) -> None:
        ZeroOne().check(label)


AnyLoss = ZeroOne | Absolute | Squared | LogLoss | TopK


def top_labels(prediction: Prediction, k: int) -> list[tuple[Label, float]]:
    """The `k` labels that a model takes for the most likely, its output first, each with its probability.

    Without a distribution that is its output alone; one of equals goes first that stands first.
    """
    output, probabilities = prediction.output, prediction.probabilities
    if k == 1 or probabilities is None:
        return [(output, 1.0)]
    likely = nlargest(k, probabilities, key=itemgetter(1))
    own = next((pair for pair in likely if pair[0] == output), (output, dict(probabilities).get(output, 0.0)))
    return [own, *(pair for pair in likely if pair[0] != output)][:k]


def of_rightness(loss: Loss) -> Loss:
    """The loss of one label, from .5 on wrong, below right: in place of those of probabilities and lists, zero-one."""
    return ZeroOne() if isinstance(loss, LogLoss | TopK) else loss


def number(value: Label) -> float:
    """The value as a float. Raises InvalidLabel unless it is a finite number."""
    try:
        if not isinstance(value, bool | str) and isfinite(value):
            return float(value)
    except OverflowError:  # an integer beyond all floats
        pass
    raise InvalidLabel(f"expected a finite number, not {value!r}")


def losses_of(decision: Decision, feedback: Feedback, loss: Loss) -> dict[str, float]:
    """The loss of every model whose loss the feedback tells, sorted by model.

    A label scores every model that predicted. A reward r is the loss 1 - r of the answer: credited
    to the models whose prediction equals it; a reward of 0 or 1 in classification also scores
    the others when it is 1, for there is one right class. If no model agrees, none is scored. Predictions that
    the policy did not ask for (shadow queries, cache) are not scored by a reward: of their errors it shows all
    that agree with a wrong answer, of their successes not those that do not, so they would seem worse than they are.
    Raises InvalidLabel if the loss cannot take the label; a prediction that it cannot take has no loss.
    """
    predictions = {**decision.predictions, **feedback.joined}
    if feedback.label is not None:
        return _from_label(predictions, feedback.label, loss)
    if feedback.reward is None:
        return {}
    asked = {model for selection in decision.selections for model in selection.models} | set(decision.predictions)
    predictions = {model: prediction for model, prediction in predictions.items() if model in asked}
    return _from_reward(predictions, decision.answer.output, feedback.reward, isinstance(loss, ZeroOne))


def loss_of_answer(decision: Decision, feedback: Feedback, loss: Loss) -> float | None:
    """The loss of what the models answered together, also where it was withheld; None where it cannot be told.

    A reward is about what was shown, so it says nothing of an answer that was withheld.
    """
    answer = decision.answer
    output = answer.withheld if answer.default else answer.output
    if output is None:
        return None
    if feedback.label is not None:
        if isinstance(loss, TopK) and answer.top:
            return float(feedback.label not in answer.top[: loss.k])
        with suppress(InvalidLabel):
            return loss(Prediction(output), feedback.label)
        return None
    return None if feedback.reward is None or answer.default else 1.0 - feedback.reward


def _from_label(predictions: Mapping[str, Prediction], label: Label, loss: Loss) -> dict[str, float]:
    loss.check(label)
    models = sorted(predictions)
    with suppress(InvalidLabel):
        return {model: loss(predictions[model], label) for model in models}
    losses = {}
    for model in models:
        with suppress(InvalidLabel):  # what one model said is no reason not to score the others
            losses[model] = loss(predictions[model], label)
    return losses


def _from_reward(
    predictions: Mapping[str, Prediction], answer: Label | None, reward: float, one_right_class: bool
) -> dict[str, float]:
    agrees = {model: predictions[model].output == answer for model in sorted(predictions)}
    if not any(agrees.values()):
        return {}
    others_are_wrong = one_right_class and reward == 1
    return {m: 1.0 - reward if agree else 1.0 for m, agree in agrees.items() if agree or others_are_wrong}
