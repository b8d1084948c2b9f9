"""What is known of the place in a cascade where some models have answered and others have not."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from statistics import fmean

from msgspec import Struct, field

from selector.calibration import Calibration
from selector.cascade.cells import Cells
from selector.cascade.odds import log_odds, logistic
from selector.cascade.unasked import Unasked
from selector.cascade.view import View, bins_at, keys_at, offset_keys
from selector.decisions import Prediction
from selector.pool import Pool

_RECENT = 500.0  # doubts that were worked on, remembered
_INFORMATION = 300.0  # of a label's offset, remembered; 1 / variance of its log odds
_SURE = 2.0  # information that an offset of 0 counts for
_SHRINKAGE = 4.0
_FIRST_GAIN = 0.3  # the part of the doubt that an unknown model is hoped to remove
LEAST_VARIANCE = 0.003
"""Of whether a model is right, given all that is known: it is never quite certain."""


class Step(Struct, array_like=True):
    """What asking one more model adds, as parts of the doubt.

    `stop` is accuracy gained if the cascade stops there, leaving out what it costs not to know whether the reference
    is right; `on` if it goes on as it has of late, and `cost` is spent on that.
    """

    stop: Cells = field(default_factory=Cells)
    on: Cells = field(default_factory=Cells)
    cost: Cells = field(default_factory=Cells)

    def prospects(self, view: View) -> tuple[float, float, float]:
        """What it adds where this is seen: the gains as parts of the doubt, and the cost for one unit of doubt."""
        stop = on = cost = 0.0
        for weight, keys in view.bins:
            stop += weight * self.stop.mean(keys, _FIRST_GAIN, _SHRINKAGE)
            on += weight * self.on.mean(keys, _FIRST_GAIN, _SHRINKAGE)
            cost += weight * self.cost.mean(keys, 0.0, _SHRINKAGE)
        return stop, on, max(0.0, cost)

    def known(self, view: View) -> float:
        """The doubts, summed, from which its gains were learned at such confidence; at an edge each bin knows its part.

        Whatever the label: there are so many labels that of some one little is always known.
        """
        return sum([weight * self.stop.weight(keys[-2]) for weight, keys in view.bins])

    def add(self, view: View, stop: float, on: float, cost: float) -> None:
        """What it has led to once, in place: accuracies, and the cost from there on."""
        p, doubt = view.confidence, view.doubt
        for weight, keys in view.bins:
            for cells, gained in ((self.stop, stop - p), (self.on, on - p), (self.cost, cost)):
                cells.add(keys, weight * gained, weight * doubt, _RECENT)


class Stage(Struct, array_like=True):
    """A pool of these models alone; is its answer right, what does each other add, and is that one right?"""

    pool: Pool = field(default_factory=Pool)
    calibration: Calibration = field(default_factory=Calibration)
    offsets: Cells = field(default_factory=Cells)
    steps: dict[int, Step] = {}
    others: dict[int, Unasked] = {}

    def view(self, mask: int, said: Mapping[str, Prediction], shifts: Mapping[str, float]) -> View:
        """What these predictions amount to.

        `shifts`, by model, are log odds that the query itself adds: their mean over those who gave the answer counts.
        """
        ballot = self.pool.ballot(said)
        chances = self.pool.opinions(ballot).mixed[:-1]
        best = max(chances)
        label = ballot.labels[chances.index(best)]
        calibrated = self.calibration(best)
        x, id_ = log_odds(calibrated), self.pool.labels.get(label, 0)
        offset = self.offsets.mean(offset_keys(x, id_), 0.0, _SURE)
        if shifts:
            x += fmean(shifts[model] for model in said if said[model].output == label)
        confidence = logistic(x + max(-3.0, min(3.0, offset)))
        return View(mask, label, best, calibrated, confidence, keys_at(x, id_), bins_at(x, id_))

    def prospects(self, view: View, model: int) -> tuple[float, float, float]:
        """After asking `model`: accuracy when it stops there; accuracy if it goes on, and what that costs."""
        p, doubt, step = view.confidence, view.doubt, self.steps.get(model)
        if step is None:
            return p + _FIRST_GAIN * doubt, p, 0.0
        stop, on, cost = step.prospects(view)
        return p + stop * doubt, p + on * doubt, cost * doubt

    def deviation(self, view: View, model: int) -> float:
        """The standard deviation of the accuracy to be expected after asking `model`, learned from so many queries.

        Somebody must have answered. It is that of the mean of as many outcomes: at a doubt d they have variance
        d (1 - d), and n doubts are of n / d queries.
        """
        step, doubt = self.steps.get(model), view.doubt
        known = 0.0 if step is None else step.known(view)
        return doubt * sqrt((1.0 - doubt) / (known + _SHRINKAGE))

    def other(self, finest: int, model: int, usual: float, correct: bool) -> float:
        """How likely `model`, not asked, is right, given whether the answer is; `usual` is how often it is."""
        other = self.others.get(model)
        return usual if other is None else other.chance(finest, usual, correct)

    def known(self, finest: int, model: int, correct: bool) -> float:
        """In how many queries of this bin it was learned whether `model` was right."""
        other = self.others.get(model)
        return 0.0 if other is None else other.known(finest, correct)

    def expected(self, view: View, model: int, usual: float) -> tuple[float, float]:
        """How likely `model`, not asked, is right; and the variance left once it is known whether the answer is."""
        c = view.confidence
        finest = view.keys[-1]
        p, q = self.other(finest, model, usual, True), self.other(finest, model, usual, False)
        return c * p + (1.0 - c) * q, max(c * p * (1.0 - p) + (1.0 - c) * q * (1.0 - q), LEAST_VARIANCE)

    def learn(self, view: View, said: Mapping[str, Prediction], right: Mapping[str, bool], correct: bool) -> None:
        """Whether the answer was correct, and who was right, in place."""
        p = view.calibrated
        keys = offset_keys(log_odds(p), view.label_id)
        self.offsets.add(keys, correct - p, max(p * (1.0 - p), 0.001), _INFORMATION)
        self.calibration.add(view.claim, correct)
        self.pool.learn(said, right)

    def learn_step(self, view: View, model: int, stop: float, on: float, cost: float) -> None:
        """What asking `model` has led to, in place: accuracies, and the cost from there on."""
        self.steps.setdefault(model, Step()).add(view, stop, on, cost)

    def learn_other(self, view: View, model: int, usual: float, right: bool, correct: bool) -> None:
        """Whether another was right, given whether the answer was, in place."""
        self.others.setdefault(model, Unasked()).add(view.keys[-1], usual, correct, right)

    def fade(self, keep: float) -> None:
        """Let what is known of others count for less, in place."""
        for other in self.others.values():
            other.fade(keep)

    def without(self, gone: int) -> Stage:
        """The same where the models of these bits have left."""
        steps = {model: step for model, step in self.steps.items() if not gone >> model & 1}
        others = {model: other for model, other in self.others.items() if not gone >> model & 1}
        return Stage(self.pool, self.calibration, self.offsets, steps, others)
