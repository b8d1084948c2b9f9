"""How likely a model that was not asked is right, given what was seen and whether the answer was."""

from __future__ import annotations

from msgspec import Struct, field

from selector.cascade.cells import Cells
from selector.cascade.odds import log_odds, logistic
from selector.cascade.view import centre, keys_of

_MEMORY = 20_000.0  # queries of a bin: where other policies decide, the ledger sums over none, and lets none fade
_SHRINKAGE = 4.0
_FIRST = (1.0, 0.0, 16.0)  # precision of a line before any outcome: of its level, of both, of its slope


class Line(Struct, array_like=True):
    """Logistic regression on one number x: log odds `usual` + `level` + `slope` * x, and the precision of the last two.

    One Newton step for each outcome. Answers that are wrong although sure are too rare for a model to be known there
    bin by bin: what is known of the less sure leads there.
    """

    level: float = 0.0
    slope: float = 0.0
    precision: list[float] = field(default_factory=lambda: list(_FIRST))

    def __call__(self, usual: float, x: float) -> float:
        """The chance at x."""
        return logistic(usual + self.level + self.slope * x)

    def add(self, usual: float, x: float, right: bool) -> None:
        """One outcome, in place."""
        p, (a, b, c) = self(usual, x), self.precision
        weight = p * (1.0 - p)
        a, b, c = a + weight, b + weight * x, c + weight * x * x
        self.precision[:] = a, b, c
        step = (right - p) / (a * c - b * b)
        self.level += step * (c - b * x)
        self.slope += step * (a * x - b)

    def fade(self, keep: float) -> None:
        """Let all outcomes count for less, in place."""
        self.precision[:] = [first + keep * (now - first) for first, now in zip(_FIRST, self.precision, strict=True)]


class Unasked(Struct, array_like=True):
    """By whether the answer was right, a line in the log odds that it is; and from there means by bin and label.

    `weights` are, by bin, how much each outcome still counts for, summed, and the sum of the squares of that.
    """

    wrong: Line = field(default_factory=Line)
    right: Line = field(default_factory=Line)
    cells: Cells = field(default_factory=Cells)
    weights: dict[int, list[float]] = {}

    def chance(self, finest: int, usual: float, correct: bool) -> float:
        """How likely the model is right; `finest` is the finest key of what was seen, `usual` how often it is."""
        line = self.right if correct else self.wrong
        prior = line(log_odds(usual), centre(finest))
        mean = self.cells.mean(_keys(finest, correct), prior, _SHRINKAGE)
        return min(max(mean, 0.0), 1.0)

    def known(self, finest: int, correct: bool) -> float:
        """In how many queries of this bin it was learned whether the model was right.

        Where old ones have faded, as many as would tell the mean as well (Kish: Survey sampling, 1965), which are at
        most two for each that is left if new ones come steadily, and no more if they do not.
        """
        left, squares = self.weights.get(_keys(finest, correct)[0], (0.0, 0.0))
        return min(2.0 * left, left * left / squares) if squares else 0.0

    def add(self, finest: int, usual: float, correct: bool, right: bool) -> None:
        """Whether the model was right, in place."""
        (self.right if correct else self.wrong).add(log_odds(usual), centre(finest), right)
        keys = _keys(finest, correct)
        self.cells.add(keys, float(right), 1.0, _MEMORY)
        if not self.cells.weight(keys[0]):
            return
        weights = self.weights.setdefault(keys[0], [0.0, 0.0])
        keep = 1.0 if weights[0] <= _MEMORY else 1.0 - 1.0 / _MEMORY
        weights[:] = [keep * weights[0] + 1.0, keep * keep * weights[1] + 1.0]

    def fade(self, keep: float) -> None:
        """Let all outcomes count for less, in place."""
        self.wrong.fade(keep)
        self.right.fade(keep)
        self.cells.fade(keep)
        for weights in self.weights.values():
            weights[:] = [keep * weights[0], keep * keep * weights[1]]


def _keys(finest: int, correct: bool) -> list[int]:
    """Those of the bin, and of the bin and label."""
    return [2 * key + correct for key in keys_of(finest)[-2:]]
