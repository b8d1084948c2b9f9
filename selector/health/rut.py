"""Does a model say the same whatever the truth? Its errors while it repeats itself."""

from __future__ import annotations

from math import log

from selector.decisions import Label
from selector.drift import rates

_LABELS = 1_000  # different ones that are counted
_CALM = 0.25  # with less than this part of an alarm's evidence, rates are learned
_UNSEEN = (0.0, 0.0)


class Rut:
    """Evidence that a model has come to answer always the same: of its present run of equal outputs.

    A model in a rut errs for certain where the label is another one; before, it did at the rate r that is usual for
    that label. S <- S + loss * ln(1 / r), and S <- 0 with another output; alarm at ln(1 / alpha). Right answers
    count for nothing, so while the rates hold the mean of e^S, begun anywhere with a given output, is at most 1, and
    over all outputs at most 2. Few runs get so far: on made-up models alarms were at most a sixth of alpha. `count`
    and `total` are the labels of this run, and their loss.
    """

    __slots__ = ("_level", "_limit", "_output", "_seen", "count", "total")

    def __init__(self, false_alarms: float) -> None:
        self.count = 0.0
        self.total = 0.0
        self._limit = -log(false_alarms)
        self._seen: dict[Label, tuple[float, float]] = {}
        self._output: Label | None = None
        self._level = 0.0

    def add(self, output: Label, label: Label, loss: float) -> bool:
        """Whether this output, where `label` is the truth, completes an alarm."""
        count, total = self._seen.get(label, _UNSEEN)
        calm = self._level < _CALM * self._limit
        if output != self._output:
            self._output = output
            self._level = self.count = self.total = 0.0
        if loss > 0.0:
            self._level -= loss * log(rates(count, total)[1])
        self.count += 1.0
        self.total += loss
        if calm and (count > 0.0 or len(self._seen) < _LABELS):
            self._seen[label] = (count + 1.0, total + loss)
        return self._level >= self._limit
