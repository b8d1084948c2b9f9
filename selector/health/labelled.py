"""What labels say of one model."""

from __future__ import annotations

from typing import NamedTuple

from selector.decisions import Label
from selector.drift import FALSE_ALARMS
from selector.health.collapse import Collapse
from selector.health.rut import Rut
from selector.health.signal import Signal

_LEARNED = 50.0  # labels from which the usual loss is learned
_COLLAPSES = FALSE_ALARMS / 3  # half of FALSE_ALARMS are left by the loss, for its falls are welcome
_RUTS = FALSE_ALARMS / 2  # of which a run of equal outputs makes a sixth


class Case(NamedTuple):
    """What a model `said` to a query, and what it lost by it; `label` is None where all that came was a reward.

    On average its siblings lost `beside` there, None if that is not known.
    """

    query: int
    said: Label
    label: Label | None
    loss: float
    beside: float | None


class Labelled:
    """The losses of one model: `loss` sees every change, and a total failure is seen sooner by what else goes with it.

    `usual` and `known` as for `Signal`.
    """

    __slots__ = ("_collapse", "_rut", "loss")

    def __init__(self, usual: float, known: float) -> None:
        self.loss = Signal(FALSE_ALARMS, usual, known, trusted=_LEARNED)
        self._restart()

    def add(self, case: Case, chance: float | None) -> None:
        """The next label. `chance` is the loss of a model that knows nothing of its inputs."""
        changed = self.loss.changed
        self.loss.add(1, case.loss)
        if self.loss.changed:
            if not changed:
                self._restart()
        elif self._collapse.add(case.loss, case.beside, chance):
            self._alarm(self._collapse)
        elif case.label is not None and self._rut.add(case.said, case.label, case.loss):
            self._alarm(self._rut)

    def forget_siblings(self) -> None:
        """Its siblings are others from now on."""
        self._collapse = Collapse(_COLLAPSES)

    def _restart(self) -> None:
        self._collapse, self._rut = Collapse(_COLLAPSES), Rut(_RUTS)

    def _alarm(self, proof: Collapse | Rut) -> None:
        self.loss.alarm(proof.count, proof.total)
        self._restart()
