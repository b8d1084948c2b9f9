"""How much users differ: what the population's state is worth to one of them, in feedbacks."""

from __future__ import annotations

from math import sqrt

from msgspec import Struct

from selector.policy import Losses
from selector.seats import seated

_SEATS = 512  # users that are followed at a time
_HORIZON = 1000.0  # feedbacks after which a mean follows drift
_CAUTION = 1.0  # standard errors by which users must differ
_USUAL, _PRIOR = 5.0, 30.0  # the strength taken for granted at first, and the pairs that this counts for
_LEAST = 0.5


class Guest(Struct, array_like=True):
    """One user who is followed: by model how many losses were seen, and the sum of their residuals."""

    tag: int
    patience: int = 0
    counts: dict[str, float] = {}
    sums: dict[str, float] = {}


class Differences(Struct, array_like=True):
    """Variances of the losses between users and within them, learned from pairs of one user's feedbacks.

    `means` is the mean loss of each model and its count. A residual is the loss less that, and less the mean
    residual of all models scored by the same feedback: an input that is hard for all says nothing about users. The
    product of a user's residual with that user's mean so far has the variance between users as its mean; `between` and
    `squares` sum the product and its square, over the models, for `pairs` feedbacks; `total` the squared residual, for
    `seen`. `guests` are the users who come most often, so memory is bounded.
    """

    seen: float = 0.0
    means: dict[str, list[float]] = {}
    guests: dict[int, Guest] = {}
    between: float = 0.0
    squares: float = 0.0
    total: float = 0.0
    pairs: float = 0.0

    @property
    def strength(self) -> float:
        """Variance within users over the variance between them: the feedbacks of a user that weigh as much as the
        population's mean (James & Stein 1961). It is taken for 5 at first, which counts for thirty pairs;
        and infinite where, with that, users are not seen to differ, by one standard error.
        """
        if not self.pairs:
            return _USUAL
        mean, total = self.between / self.pairs, self.total / self.seen
        error = sqrt(max(self.squares / self.pairs - mean * mean, 0.0) / self.pairs)
        usual, known = total / (_USUAL + 1.0), self.pairs / (self.pairs + _PRIOR)
        between = known * (mean - _CAUTION * error) + (1.0 - known) * usual
        return max(_LEAST, (total - between) / between) if between > 0.0 else float("inf")

    def add(self, user: str, losses: Losses) -> None:
        """One user's losses, by model, in place."""
        residuals = self._residuals(losses)
        if not residuals:
            return
        guest = seated(self.guests, _SEATS, user, Guest)
        if guest is None:
            return
        product, came_back = 0.0, False
        for model, residual in residuals.items():
            count, total = guest.counts.get(model, 0.0), guest.sums.get(model, 0.0)
            if count > 0.0:
                product += residual * total / count
                came_back = True
            self.total += residual * residual
            guest.counts[model], guest.sums[model] = count + 1.0, total + residual
        self.seen += 1.0
        if came_back:
            self.between += product
            self.squares += product * product
            self.pairs += 1.0

    def keep(self, models: tuple[str, ...]) -> None:
        """Forget all other models, in place."""
        self.means = {model: mean for model, mean in self.means.items() if model in models}
        for guest in self.guests.values():
            guest.counts = {model: count for model, count in guest.counts.items() if model in models}
            guest.sums = {model: total for model, total in guest.sums.items() if model in models}

    def _residuals(self, losses: Losses) -> dict[str, float]:
        residuals = {}
        for model in sorted(losses):
            mean = self.means.setdefault(model, [0.0, 0.0])
            mean[1] += 1.0
            mean[0] += (losses[model] - mean[0]) / min(mean[1], _HORIZON)
            residuals[model] = losses[model] - mean[0]
        if len(residuals) > 1:
            common, scale = sum(residuals.values()) / len(residuals), sqrt(len(residuals) / (len(residuals) - 1))
            residuals = {model: scale * (residual - common) for model, residual in residuals.items()}
        return residuals
