"""How often a model is right, and whether that has changed."""

from __future__ import annotations

from math import log

from msgspec import Struct

_SHIFT = 6.0  # the change to look for: the odds of being right times or divided by this
_ALARM = 14.0  # nats; the mean time to a false alarm is at least about exp(14) labels
_ENOUGH = 30.0  # labels before a change can be told from a beginning


class Accuracy(Struct, array_like=True):
    """Right and wrong since the last change, from one of each; `rise` and `fall` are CUSUMs in nats.

    One pair of CUSUMs of log-likelihood ratios (Page: Continuous inspection schemes, Biometrika 1954), for changes so
    large that what was learned of the model does harm; the rate before the change is the one estimated so far.
    """

    right: float = 1.0
    seen: float = 2.0
    rise: float = 0.0
    fall: float = 0.0

    @property
    def rate(self) -> float:
        """The estimated chance of being right, between 0 and 1 exclusively."""
        return self.right / self.seen

    @property
    def log_odds(self) -> float:
        """log(rate / (1 - rate))."""
        return log(self.right / (self.seen - self.right))

    def add(self, right: bool) -> bool:
        """Count one label, in place; True if the rate has changed, and then it is estimated from here on."""
        if self.seen >= _ENOUGH:
            rate, odds = self.rate, self.right / (self.seen - self.right)
            self.rise = max(0.0, self.rise + _evidence(right, rate, odds * _SHIFT))
            self.fall = max(0.0, self.fall + _evidence(right, rate, odds / _SHIFT))
            if self.rise > _ALARM or self.fall > _ALARM:
                self.right, self.seen, self.rise, self.fall = 1.0, 2.0, 0.0, 0.0
                return True
        self.right += right
        self.seen += 1.0
        return False


def _evidence(right: bool, rate: float, odds: float) -> float:
    """The log-likelihood ratio of one label for `odds` against `rate`."""
    changed = odds / (1.0 + odds)
    return log(changed / rate) if right else log((1.0 - changed) / (1.0 - rate))
