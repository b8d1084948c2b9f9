"""What labels say of one model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct

from selector.decisions import Decision, Feedback, Label
from selector.drift import FALSE_ALARMS
from selector.health.collapse import Collapse
from selector.health.rut import Rut
from selector.health.signal import Signal

_LEARNED = 50.0  # labels from which the usual loss is learned
_COLLAPSES = FALSE_ALARMS / 3  # a half is left by the loss, for its falls are welcome; the rest of that is for ruts
_RUTS = FALSE_ALARMS  # runs make a small part of these


class Case(Struct, frozen=True, gc=False):
    """What a model `said` to a query, and what it lost by it; `label` is None where all that came was a reward.

    On average its siblings lost `beside` there, and a model that knows nothing loses `chance`; None if not known.
    """

    query: int
    said: Label
    label: Label | None
    loss: float
    beside: float | None
    chance: float | None


def cases(
    decision: Decision, feedback: Feedback, losses: Mapping[str, float], resting: Collection[str], chance: float | None
) -> Iterator[tuple[str, Case]]:
    """What each model said and lost, by the `losses` of all: beside those of the others that are not `resting`."""
    asked = [loss for model, loss in losses.items() if model not in resting]
    total, others, query, label = sum(asked), len(asked) - 1, decision.query.id, feedback.label
    for model, loss in losses.items():
        said = feedback.joined.get(model) or decision.predictions[model]
        beside = (total - loss) / others if others > 0 and model not in resting else None
        yield model, Case(query, said.output, label, loss, beside, chance)


class Labelled:
    """The losses of one model: `loss` sees every change, and a total failure is seen sooner by what else goes with it.

    `usual` and `known` as for `Signal`.
    """

    __slots__ = ("_collapse", "_rut", "loss")

    def __init__(self, usual: float, known: float) -> None:
        self.loss = Signal(FALSE_ALARMS, usual, known, trusted=_LEARNED)
        self._restart()

    def add(self, case: Case) -> None:
        """The next label."""
        changed = self.loss.changed
        self.loss.add(1, case.loss)
        if self.loss.changed:
            if not changed:
                self._restart()
        elif self._collapse.add(case.loss, case.beside, case.chance):
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
