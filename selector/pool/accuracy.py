"""How often a model is right, and whether that has changed."""

from __future__ import annotations

from math import exp, log

from msgspec import Struct, field

_SHIFT = 6.0  # the change to look for: the odds of being right times or divided by this
_ALARM = exp(14.0)  # the mean time to a false alarm is at least about as many labels
_ENOUGH = 30.0  # labels before a change can be told from a beginning


class Accuracy(Struct, array_like=True):
    """`labels` are those that were right, and all, since the last change, from one right and one wrong; CUSUMs of a
    `rise` and a `fall` of the rate, as likelihood ratios, are `ratios`.

    One pair of CUSUMs (Page: Continuous inspection schemes, Biometrika 1954), for changes so large that what was
    learned of the model does harm; the rate before the change is the one estimated so far. Ratios are
    multiplied where the paper sums their logarithms, so each starts from, and never falls below, 1.
    """

    labels: list[float] = field(default_factory=lambda: [1.0, 2.0])
    ratios: list[float] = field(default_factory=lambda: [1.0, 1.0])

    @property
    def rate(self) -> float:
        """The estimated chance of being right, between 0 and 1 exclusively."""
        right, seen = self.labels
        return right / seen

    @property
    def log_odds(self) -> float:
        """log(rate / (1 - rate))."""
        right, seen = self.labels
        return log(right / (seen - right))

    def add(self, right: bool) -> bool:
        """Count one label, in place; True if the rate has changed, and then it is estimated from here on.

        A label's likelihood ratio is (1 + odds) / (1 + s odds) for odds times s, and s times that if it is right.
        """
        labels, ratios = self.labels, self.ratios
        hits, seen = labels
        if seen >= _ENOUGH:
            misses, (rise, fall) = seen - hits, ratios
            rise, fall = rise * seen / (misses + hits * _SHIFT), fall * seen / (misses + hits / _SHIFT)
            if right:
                rise *= _SHIFT
                fall /= _SHIFT
            if rise > _ALARM or fall > _ALARM:
                labels[:], ratios[:] = (1.0, 2.0), (1.0, 1.0)
                return True
            ratios[0] = rise if rise > 1.0 else 1.0
            ratios[1] = fall if fall > 1.0 else 1.0
        if right:
            labels[0] = hits + 1.0
        labels[1] = seen + 1.0
        return False
