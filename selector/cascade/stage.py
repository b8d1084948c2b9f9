"""What is known of the place in a cascade where some models have answered and others have not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log

from msgspec import Struct, field

from selector.calibration import Calibration
from selector.cascade.cells import Cells
from selector.decisions import Label, Prediction
from selector.pool import Pool

_MEMORY, _RECENT = 2000.0, 500.0  # labels of others that are remembered, and doubts that were worked on
_INFORMATION = 300.0  # of a label's offset, remembered; 1 / variance of its log odds
_SURE = 2.0  # information that an offset of 0 counts for
_SHRINKAGE = 4.0
_DOUBT = 0.01  # the least: nothing is quite certain
_FIRST_GAIN = 0.3  # the part of the doubt that an unknown model is hoped to remove
_BINS, _STEP, _LOWEST = 16, 0.5, -2.0
_WHOLE = -1
LEAST_VARIANCE = 0.003
"""Of whether a model is right, given all that is known: it is never quite certain."""


class View(Struct, frozen=True):
    """What is seen at a stage: the answer, the pool's chance for it, calibrated, and by label too (`confidence`).

    `mask` has a bit for each model that has answered. `keys` are those of cells, from coarse to fine.
    """

    mask: int
    label: Label | None
    claim: float
    calibrated: float
    confidence: float
    keys: tuple[int, ...]

    @property
    def doubt(self) -> float:
        """How likely the answer is wrong."""
        return max(1.0 - self.confidence, _DOUBT)


def keys_of(finest: int) -> tuple[int, ...]:
    """All keys of a view, from coarse to fine, by the finest of them."""
    return (_WHOLE,) if finest == _WHOLE else (_WHOLE, finest % (2 * _BINS), finest)


NOTHING = View(0, None, 0.0, 0.0, 0.0, (_WHOLE,))


class Step(Struct, array_like=True):
    """What asking one more model adds, as parts of the doubt.

    `stop` is accuracy gained if the cascade stops there, `on` if it goes on as it has of late, `cost` is spent on that.
    """

    stop: Cells = field(default_factory=Cells)
    on: Cells = field(default_factory=Cells)
    cost: Cells = field(default_factory=Cells)


class Stage(Struct, array_like=True):
    """A pool of these models alone; is its answer right, what does each other add, and is that one right?"""

    pool: Pool = field(default_factory=Pool)
    calibration: Calibration = field(default_factory=Calibration)
    offsets: Cells = field(default_factory=Cells)
    steps: dict[int, Step] = {}
    others: dict[int, Cells] = {}

    def view(self, mask: int, said: Mapping[str, Prediction]) -> View:
        """What these predictions amount to."""
        ballot = self.pool.ballot(said)
        chances = self.pool.opinions(ballot).mixed[:-1]
        best = max(chances)
        label = ballot.labels[chances.index(best)]
        calibrated = self.calibration(best)
        x = log_odds(calibrated)
        bin_ = min(max(int((x - _LOWEST) / _STEP), 0), _BINS - 1)
        row = (self.pool.labels.get(label, 0) + 1) * 2 * _BINS
        offset = self.offsets.mean((row + _BINS, row + bin_), 0.0, _SURE)
        confidence = logistic(x + max(-3.0, min(3.0, offset)))
        return View(mask, label, best, calibrated, confidence, (_WHOLE, bin_, row + bin_))

    def prospects(self, view: View, model: int) -> tuple[float, float, float]:
        """After asking `model`: accuracy when it stops there; accuracy if it goes on, and what that costs."""
        p, doubt, step = view.confidence, view.doubt, self.steps.get(model)
        if step is None:
            return p + _FIRST_GAIN * doubt, p, 0.0
        stop = step.stop.mean(view.keys, _FIRST_GAIN, _SHRINKAGE)
        on = step.on.mean(view.keys, _FIRST_GAIN, _SHRINKAGE)
        cost = max(0.0, step.cost.mean(view.keys, 0.0, _SHRINKAGE))
        return p + stop * doubt, p + on * doubt, cost * doubt

    def other(self, keys: Sequence[int], model: int, usual: float, right: bool) -> float:
        """How likely `model`, not asked, is right, given whether the answer is; `usual` is how often it is."""
        cells = self.others.get(model)
        if cells is None:
            return usual
        return min(max(cells.mean([2 * key + right for key in keys], usual, _SHRINKAGE), 0.0), 1.0)

    def known(self, model: int, key: int) -> float:
        """In how many queries of this key it was learned whether `model` was right."""
        cells = self.others.get(model)
        cell = None if cells is None else cells.cells.get(key)
        return 0.0 if cell is None else cell[1]

    def expected(self, view: View, model: int, usual: float) -> tuple[float, float]:
        """How likely `model`, not asked, is right; and the variance left once it is known whether the answer is."""
        c = view.confidence
        p, q = self.other(view.keys, model, usual, True), self.other(view.keys, model, usual, False)
        return c * p + (1.0 - c) * q, max(c * p * (1.0 - p) + (1.0 - c) * q * (1.0 - q), LEAST_VARIANCE)

    def learn(self, view: View, said: Mapping[str, Prediction], right: Mapping[str, bool], correct: bool) -> None:
        """Whether the answer was correct, and who was right, in place."""
        p = view.calibrated
        row = view.keys[2] // (2 * _BINS) * 2 * _BINS
        self.offsets.add((row + _BINS, view.keys[2]), correct - p, max(p * (1.0 - p), 0.001), _INFORMATION)
        self.calibration.add(view.claim, correct)
        self.pool.learn(said, right)

    def learn_step(self, view: View, model: int, stop: float, on: float, cost: float) -> None:
        """What asking `model` has led to, in place: accuracies, and the cost from there on."""
        step, doubt = self.steps.setdefault(model, Step()), view.doubt
        for cells, gained in ((step.stop, stop - view.confidence), (step.on, on - view.confidence), (step.cost, cost)):
            cells.add(view.keys, gained, doubt, _RECENT)

    def learn_other(self, view: View, model: int, right: bool, correct: bool) -> None:
        """Whether another was right, given whether the answer was, in place."""
        self.others.setdefault(model, Cells()).add([2 * key + correct for key in view.keys], float(right), 1.0, _MEMORY)

    def without(self, gone: int) -> Stage:
        """The same where the models of these bits have left."""
        steps = {model: step for model, step in self.steps.items() if not gone >> model & 1}
        others = {model: cells for model, cells in self.others.items() if not gone >> model & 1}
        return Stage(self.pool, self.calibration, self.offsets, steps, others)


def log_odds(p: float) -> float:
    """log(p / (1 - p)), of probabilities not too near to 0 or 1."""
    p = min(max(p, 1e-4), 1.0 - 1e-4)
    return log(p / (1.0 - p))


def logistic(x: float) -> float:
    """The inverse of `log_odds`."""
    return 1.0 / (1.0 + exp(-max(min(x, 30.0), -30.0)))
