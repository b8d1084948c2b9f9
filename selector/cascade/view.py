"""What is seen where some models have answered, and the cells that it falls into."""

from __future__ import annotations

from msgspec import Struct

from selector.decisions import Label

_DOUBT = 0.01  # the least: nothing is quite certain
_BINS, _STEP, _LOWEST = 16, 0.5, -2.0
_ROW = 2 * _BINS
_WHOLE = -1


class View(Struct, frozen=True):
    """What is seen at a stage: the answer, the pool's chance for it, calibrated, and by label too (`confidence`).

    `mask` has a bit for each model that has answered. `keys` are those of cells, from coarse to fine; `bins` are the
    one or two nearest, each with a weight and its keys: what is known of steps is interpolated between them. What the
    query itself adds is in `confidence`, `keys` and `bins`: what is decided by it must be learned by it, too.
    """

    mask: int
    label: Label | None
    claim: float
    calibrated: float
    confidence: float
    keys: tuple[int, ...]
    bins: tuple[tuple[float, tuple[int, ...]], ...]

    @property
    def label_id(self) -> int:
        """The number of the label among the pool's, 0 if it is not one of them."""
        return self.keys[-1] // _ROW - 1

    @property
    def doubt(self) -> float:
        """How likely the answer is wrong."""
        return max(1.0 - self.confidence, _DOUBT)


def keys_at(x: float, label: int) -> tuple[int, ...]:
    """The keys of an answer with these log odds, calibrated, by its label's id."""
    bin_ = min(max(int((x - _LOWEST) / _STEP), 0), _BINS - 1)
    return (_WHOLE, bin_, (label + 1) * _ROW + bin_)


def bins_at(x: float, label: int) -> tuple[tuple[float, tuple[int, ...]], ...]:
    """The bins between whose middles these log odds lie, weighted by nearness, with their keys.

    Answers of one kind that drift from bin to bin as calibration learns find there what was learned of them before.
    """
    place = min(max((x - _LOWEST) / _STEP - 0.5, 0.0), _BINS - 1.0)
    low, row = int(place), (label + 1) * _ROW
    weight = place - low
    if not weight:
        return ((1.0, (_WHOLE, low, row + low)),)
    return ((1.0 - weight, (_WHOLE, low, row + low)), (weight, (_WHOLE, low + 1, row + low + 1)))


def keys_of(finest: int) -> tuple[int, ...]:
    """All keys of a view, from coarse to fine, by the finest of them."""
    return (_WHOLE,) if finest == _WHOLE else (_WHOLE, finest % _ROW, finest)


def offset_keys(x: float, label: int) -> tuple[int, int]:
    """The keys of a label's offset, whatever the log odds and at x: those calibrated, before the query adds to them."""
    return (label + 1) * _ROW + _BINS, keys_at(x, label)[-1]


def centre(finest: int) -> float:
    """The log odds in the middle of its bin."""
    return 0.0 if finest == _WHOLE else _LOWEST + (finest % _ROW + 0.5) * _STEP


NOTHING = View(0, None, 0.0, 0.0, 0.0, (_WHOLE,), ((1.0, (_WHOLE,)),))
