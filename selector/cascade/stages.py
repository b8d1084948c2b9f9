"""Where a cascade can stand, and what is to be expected from there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import log

from msgspec import Struct, field

from selector.cascade.cells import Cells

_MEMORY, _RECENT = 2000.0, 500.0  # labels after which old ones fade: of what is right, and of what is gained
_DOUBT = 0.01  # the least: nothing is quite certain
_BINS, _STEP, _LOWEST = 16, 0.5, -2.0
_FIRST_GAIN = 0.3


class View(Struct, frozen=True):
    """What is seen after some models have answered: the set's key, the answer's index, its raw chance, cells' keys."""

    mask: int
    chance: float
    keys: tuple[int, ...]


NOTHING = View(0, 0.0, (-1,))


class Stage(Struct, array_like=True):
    """After these models have answered: is the answer right, what others add to it, and are those right?

    `gains` are parts of the doubt that asking one more would remove, net of what it leads to.
    """

    right: Cells = field(default_factory=Cells)
    gains: dict[int, Cells] = {}
    others: dict[int, Cells] = {}


class Stages(Struct, array_like=True):
    """By set of models (bits), as far as met."""

    stages: dict[int, Stage] = {}

    def confidence(self, view: View) -> float:
        """How likely the answer is right."""
        if not view.mask:
            return 0.0
        stage = self.stages.get(view.mask)
        p = view.chance if stage is None else stage.right.mean(view.keys[1:], view.chance)
        return min(max(p, 0.0), 1.0 - 1e-4)

    def gain(self, view: View, confidence: float, model: int) -> float:
        """What asking `model` adds to the value."""
        stage = self.stages.get(view.mask)
        cells = None if stage is None else stage.gains.get(model)
        part = _FIRST_GAIN if cells is None else cells.mean(view.keys, _FIRST_GAIN)
        return part * max(1.0 - confidence, _DOUBT)

    def other(self, view: View, model: int, prior: float) -> float:
        """How likely `model` is right, which has not been asked."""
        stage = self.stages.get(view.mask)
        cells = None if stage is None else stage.others.get(model)
        return prior if cells is None else min(max(cells.mean(view.keys, prior), 0.0), 1.0)

    def learn_right(self, view: View, right: float, weight: float) -> None:
        self.at(view.mask).right.add(view.keys[1:], right, 1.0, weight, _MEMORY)

    def learn_gain(self, view: View, confidence: float, model: int, value: float, weight: float) -> None:
        cells = self.at(view.mask).gains.setdefault(model, Cells())
        cells.add(view.keys, value - confidence, max(1.0 - confidence, _DOUBT), weight, _RECENT)

    def learn_other(self, view: View, model: int, right: float, weight: float) -> None:
        cells = self.at(view.mask).others.setdefault(model, Cells())
        cells.add(view.keys, right, 1.0, weight, _MEMORY)

    def at(self, mask: int) -> Stage:
        stage = self.stages.get(mask)
        if stage is None:
            stage = Stage()
            if len(self.stages) < 128:
                self.stages[mask] = stage
        return stage


def view_of(mask: int, chance: float, label: int) -> View:
    p = min(max(chance, 1e-4), 1.0 - 1e-4)
    bin_ = min(max(int((log(p / (1.0 - p)) - _LOWEST) / _STEP), 0), _BINS - 1)
    return View(mask, chance, (-1, bin_, (label + 1) * _BINS + bin_))
