"""What has been observed of each model: how often it was scored, and the sum of its losses."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Tally(Struct, array_like=True):
    """Counts and summed losses, aligned with `models`, which are sorted and distinct.

    Counts are floats, for a blend counts a part of someone else's feedback.
    """

    models: tuple[str, ...] = ()
    counts: list[float] = []
    losses: list[float] = []

    def add(self, model: str, loss: float) -> None:
        """Count one loss in [0, 1], in place; unknown models are ignored."""
        if model in self.models:
            i = self.models.index(model)
            self.counts[i] += 1.0
            self.losses[i] += loss

    def take(self, model: str, loss: float) -> None:
        """Forget one loss that was counted, in place."""
        if model in self.models:
            i = self.models.index(model)
            self.counts[i] = max(0.0, self.counts[i] - 1.0)
            self.losses[i] = min(self.counts[i], max(0.0, self.losses[i] - loss))

    def scale(self, factor: float) -> None:
        """Let every loss count for this part of itself, in place."""
        self.counts = [count * factor for count in self.counts]
        self.losses = [loss * factor for loss in self.losses]

    def of(self, models: Sequence[str]) -> tuple[list[float], list[float]]:
        """Counts and losses of these models: 0 for those that are not known."""
        if models == self.models:
            return self.counts, self.losses
        known = dict(zip(self.models, zip(self.counts, self.losses, strict=True), strict=True))
        pairs = [known.get(model, (0.0, 0.0)) for model in models]
        return [count for count, _ in pairs], [loss for _, loss in pairs]

    def with_models(self, models: Sequence[str]) -> Tally:
        """A new tally of these models: those that joined start at 0, those that left are forgotten."""
        names = tuple(sorted(set(models)))
        counts, losses = self.of(names)
        return Tally(names, list(counts), list(losses))

    def blend(self, own: Tally, strength: float) -> Tally:
        """The power prior: this tally, scaled to count for at most `strength` feedbacks, plus `own`."""
        total = sum(self.counts)
        scale = min(1.0, strength / total) if total > 0 else 0.0
        counts, losses = own.of(self.models)
        return Tally(
            self.models,
            [n + scale * m for n, m in zip(counts, self.counts, strict=True)],
            [n + scale * m for n, m in zip(losses, self.losses, strict=True)],
        )

    def describe(self, weights: Sequence[float]) -> dict[str, dict[str, float]]:
        """`{model: {"weight", "count", "loss"}}` with weights that sum to 1; "loss" (the mean) only where count > 0."""
        total = sum(weights)
        described: dict[str, dict[str, float]] = {}
        for model, count, loss, weight in zip(self.models, self.counts, self.losses, weights, strict=True):
            described[model] = {"weight": weight / total, "count": count}
            if count > 0:
                described[model]["loss"] = loss / count
        return described
