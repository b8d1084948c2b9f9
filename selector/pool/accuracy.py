"""How often a model is right, and whether that has changed."""

from __future__ import annotations

from math import exp, log

from msgspec import Struct

_SHIFT = 6.0  # the change to look for: the odds of being right times or divided by this
_ALARM = exp(14.0)  # the mean time to a false alarm is at least about as many labels
_ENOUGH = 30.0  # labels before a change can be told from a beginning


class Accuracy(Struct, array_like=True):
    """Right and wrong since the last change, from one of each; `rise` and `fall` are CUSUMs, as likelihood ratios.

    One pair of CUSUMs (Page: Continuous inspection schemes, Biometrika 1954), for changes so large that what was
    learned of the model does harm; the rate before the change is the one estimated so far. Ratios are
    multiplied where the paper sums their logarithms, so each starts from, and never falls below, 1.
    """

    right: float = 1.0
    seen: float = 2.0
    rise: float = 1.0
    fall: float = 1.0

    @property
    def rate(self) -> float:
        """The estimated chance of being right, between 0 and 1 exclusively."""
        return self.right / self.seen

    @property
    def log_odds(self) -> float:
        """log(rate / (1 - rate))."""
        return log(self.right / (self.seen - self.right))

    def add(self, right: bool) -> bool:
        """Count one label, in place; True if the rate has changed, and then it is estimated from here on.

        A label's likelihood ratio is (1 + odds) / (1 + s odds) for odds times s, and s times that if it is right.
        """
        seen, hits = self.seen, self.right
        if seen >= _ENOUGH:
            misses, rise, fall = seen - hits, self.rise, self.fall
            if right or rise > 1.0:
                rise = rise * seen / (misses + hits * _SHIFT)
                if right:
                    rise *= _SHIFT
                self.rise = rise if rise > 1.0 else 1.0
            if not right or fall > 1.0:
                fall = fall * seen / (misses + hits / _SHIFT)
                if right:
                    fall /= _SHIFT
                self.fall = fall if fall > 1.0 else 1.0
            if rise > _ALARM or fall > _ALARM:
                self.right, self.seen, self.rise, self.fall = 1.0, 2.0, 1.0, 1.0
                return True
        if right:
            self.right = hits + 1.0
        self.seen = seen + 1.0
        return False
