"""What each model would have got, had it alone been asked, and the best of them each time."""

from __future__ import annotations

from msgspec import Struct, field

from selector.decisions import Label, Prediction
from selector.losses import Loss
from selector.replay.rehearsal import Judged


class MeanReward(Struct, frozen=True):
    """A mean reward, and of how many decisions it is."""

    reward: float
    decisions: int


class Models(Struct):
    """Each model's summed loss where it is known, and that of the best of all where all are known."""

    count: dict[str, int] = field(default_factory=dict)
    loss: dict[str, float] = field(default_factory=dict)
    complete: int = 0
    least: float = 0.0

    def add(self, judged: Judged, loss: Loss, default: Label | None) -> None:
        """Take in what is known of one query; a model that did not answer in time leaves it to the `default` output."""
        label = judged.feedback.label
        if label is None:
            return
        losses = {model: loss(prediction, label) for model, prediction in judged.predictions.items()}
        losses |= dict.fromkeys(judged.unanswered, 1.0 if default is None else loss(Prediction(default), label))
        for model, lost in losses.items():
            self.count[model] = self.count.get(model, 0) + 1
            self.loss[model] = self.loss.get(model, 0.0) + lost
        if losses and losses.keys() >= set(judged.decision.query.available):
            self.complete += 1
            self.least += min(losses.values())

    def rewards(self) -> dict[str, MeanReward]:
        """Of each model."""
        return {model: MeanReward(1.0 - self.loss[model] / n, n) for model, n in sorted(self.count.items())}

    @property
    def oracle(self) -> MeanReward | None:
        """Of whoever asks, each time, a model that will be best; None if the log never tells what all would have said.

        Where it tells only of models that were asked, these were chosen because they are good: the best of those known
        would be no oracle.
        """
        return MeanReward(1.0 - self.least / self.complete, self.complete) if self.complete else None
