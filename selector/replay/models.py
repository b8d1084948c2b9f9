"""What each model would have got, had it alone been asked, and the best of them each time."""

from __future__ import annotations

from msgspec import Struct, field

from selector.losses import Loss
from selector.replay.rehearsal import Judged


class Models(Struct):
    """Each model's summed loss where it is known, and the summed loss of the best for each query."""

    count: dict[str, int] = field(default_factory=dict)
    loss: dict[str, float] = field(default_factory=dict)
    queries: int = 0
    least: float = 0.0

    def add(self, judged: Judged, loss: Loss) -> None:
        """Take in what all models said of one query."""
        if judged.feedback.label is None or not judged.predictions:
            return
        losses = {model: loss(prediction, judged.feedback.label) for model, prediction in judged.predictions.items()}
        for model, lost in losses.items():
            self.count[model] = self.count.get(model, 0) + 1
            self.loss[model] = self.loss.get(model, 0.0) + lost
        self.queries += 1
        self.least += min(losses.values())

    def rewards(self) -> dict[str, float]:
        """Their mean rewards."""
        return {model: 1.0 - self.loss[model] / n for model, n in sorted(self.count.items())}

    @property
    def oracle(self) -> float | None:
        """The mean reward of whoever asks, each time, a model that will be best; None if there are no labels."""
        return 1.0 - self.least / self.queries if self.queries else None
