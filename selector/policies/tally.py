"""What has been observed of each model: how often it was scored, and the sum of its losses."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from selector.policies.shrinkage import sharpness, worth

_LEAST = 1e-100  # smaller counts have no reciprocal, or will soon have none


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

    def take(self, model: str, loss: float, part: float) -> None:
        """Forget one loss that was counted, and of which `part` is left, in place."""
        if model in self.models:
            i = self.models.index(model)
            self.counts[i] = max(0.0, self.counts[i] - part)
            self.losses[i] = min(self.counts[i], max(0.0, self.losses[i] - part * loss))

    def scale(self, factor: float) -> None:
        """Let every loss count for this part of itself, in place; what is next to nothing is forgotten."""
        factors = [factor if count > _LEAST else 0.0 for count in self.counts]
        self.counts = [count * part for count, part in zip(self.counts, factors, strict=True)]
        self.losses = [loss * part for loss, part in zip(self.losses, factors, strict=True)]

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

    def blend(self, own: Tally, heard: float, strength: float) -> Tally:
        """This tally of everyone met with that of a user who gave `heard` feedbacks: each mean loss is shrunk.

        The mean is (l + k L / N) / (n + k), with k as in `worth`. It counts as one of N losses for a new user, and as
        one of n + k for one who is well known (see `sharpness`).
        """
        tally = Tally(self.models, [], [])
        for big_n, big_l, n, loss in zip(self.counts, self.losses, *own.of(self.models), strict=True):
            k = worth(big_n, strength)
            count = sharpness(big_n, n + k, heard, strength)
            tally.counts.append(count)
            tally.losses.append(count * (loss + k * big_l / big_n) / (n + k) if big_n > 0 else loss)
        return tally

    def describe(self, weights: Sequence[float]) -> dict[str, dict[str, float]]:
        """`{model: {"weight", "count", "loss"}}` with weights that sum to 1; "loss" (the mean) only where count > 0."""
        total = sum(weights)
        described: dict[str, dict[str, float]] = {}
        for model, count, loss, weight in zip(self.models, self.counts, self.losses, weights, strict=True):
            described[model] = {"weight": weight / total, "count": count}
            if count > 0:
                described[model]["loss"] = loss / count
        return described
