"""Where a cascade can stand, and what is to be expected from there."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log

from msgspec import Struct, field

from selector.calibration import Calibration
from selector.cascade.cells import Cells
from selector.decisions import Label, Prediction
from selector.pool import Pool

_MEMORY, _RECENT = 2000.0, 500.0  # labels after which old ones fade: of what is right, and of what is gained
_DOUBT = 0.01  # the least: nothing is quite certain
_BINS, _STEP, _LOWEST = 16, 0.5, -2.0
_FIRST_GAIN = 0.3


class View(Struct, frozen=True):
    """What is seen after some models have answered: the set's key, the answer, how likely it is right, cells' keys."""

    mask: int
    label: Label | None
    claim: float
    calibrated: float
    confidence: float
    keys: tuple[int, ...]


NOTHING = View(0, None, 0.0, 0.0, 0.0, (-1,))


class Stage(Struct, array_like=True):
    """After these models have answered: is the answer right, what others add to it, and are those right?

    `gains` are parts of the doubt that asking one more would remove, net of what it leads to.
    """

    pool: Pool = field(default_factory=Pool)
    calibration: Calibration = field(default_factory=Calibration)
    right: Cells = field(default_factory=Cells)
    gains: dict[int, Cells] = {}
    stops: dict[int, Cells] = {}
    further: dict[int, Cells] = {}
    others: dict[int, Cells] = {}

    def view(self, mask: int, said: Mapping[str, Prediction]) -> View:
        if not mask:
            return NOTHING
        ballot = self.pool.ballot(said)
        chances = self.pool.opinions(ballot).mixed[:-1]
        best = max(chances)
        label = ballot.labels[chances.index(best)]
        calibrated = self.calibration(best)
        a = self.pool.labels.get(label, 0)
        x = _log_odds(calibrated)
        bin_ = min(max(int((x - _LOWEST) / _STEP), 0), _BINS - 1)
        keys = (-1, bin_, (a + 1) * 64 + bin_)
        shift = self.right.mean(((a + 1) * 64 + 63, keys[2]), 0.0, 2.0)
        confidence = 1.0 / (1.0 + exp(-(x + max(-3.0, min(3.0, shift)))))
        return View(mask, label, best, calibrated, confidence, keys)

    def prospects(self, view: View, model: int) -> tuple[float, float, float]:
        """After asking `model`: accuracy when it stops there; accuracy if it goes on as it has of late, at what cost."""
        doubt = max(1.0 - view.confidence, _DOUBT)
        cells = self.stops.get(model)
        if cells is None:
            return view.confidence + _FIRST_GAIN * doubt, view.confidence, 0.0
        stop = cells.mean(view.keys, _FIRST_GAIN, 4.0)
        on = self.gains[model].mean(view.keys, _FIRST_GAIN, 4.0)
        cost = max(0.0, self.further[model].mean(view.keys, 0.0, 4.0))
        return view.confidence + stop * doubt, view.confidence + on * doubt, cost * doubt

    def other(self, view: View, model: int, usual: float, right: bool) -> float:
        """How likely `model` is right, which has not been asked, if the answer here is."""
        cells = self.others.get(model)
        keys = [key * 2 + right for key in view.keys]
        return usual if cells is None else min(max(cells.mean(keys, usual, 4.0), 0.0), 1.0)

    def learn_right(self, view: View, right: bool) -> None:
        a = view.keys[2] // 64
        p = view.calibrated
        self.right.add((a * 64 + 63, view.keys[2]), right - p, max(p * (1.0 - p), 0.001), 300.0)
        self.calibration.add(view.claim, right)

    def learn_gain(self, view: View, model: int, stop: float, value: float, further: float) -> None:
        doubt = max(1.0 - view.confidence, _DOUBT)
        self.stops.setdefault(model, Cells()).add(view.keys, stop - view.confidence, doubt, _RECENT)
        self.gains.setdefault(model, Cells()).add(view.keys, value - view.confidence, doubt, _RECENT)
        self.further.setdefault(model, Cells()).add(view.keys, further, doubt, _RECENT)

    def learn_other(self, view: View, model: int, right: bool, other: bool) -> None:
        keys = [key * 2 + right for key in view.keys]
        self.others.setdefault(model, Cells()).add(keys, float(other), 1.0, _MEMORY)


class Stages(Struct, array_like=True):
    """By set of models (bits), as far as met."""

    stages: dict[int, Stage] = {}

    def at(self, mask: int, models) -> Stage:
        stage = self.stages.get(mask)
        if stage is None:
            stage = Stage(Pool().with_models(models))
            if len(self.stages) < 128:
                self.stages[mask] = stage
        return stage


def _log_odds(p):
    p = min(max(p, 1e-4), 1.0 - 1e-4)
    return log(p / (1.0 - p))
