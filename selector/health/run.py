"""Is a model stuck? How long it has said the same, against how often it usually says that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log, sqrt

from selector.decisions import Label

_OUTPUTS = 1_000  # different outputs that are counted
_MEMORY = 20_000  # outputs, after which old ones count half
_TRIVIAL = 0.9  # a model that usually says one thing this often cannot be told from one that is stuck


class Run:
    """The present run of equal outputs of one model, and the shares of all its outputs before that run."""

    __slots__ = ("_counts", "_total", "length", "output")

    def __init__(self) -> None:
        self.output: Label | None = None
        self.length = 0
        self._counts: Counter[Label] = Counter()
        self._total = 0

    def add(self, outputs: Sequence[Label]) -> None:
        """The next outputs, in order."""
        last = outputs[-1]
        if last == self.output and outputs.count(last) == len(outputs):
            self.length += len(outputs)
            return
        self._learn(self.output, self.length)
        tail = next((i for i, output in enumerate(reversed(outputs)) if output != last), len(outputs))
        head = outputs[: len(outputs) - tail]
        self._counts.update(head)
        self._total += len(head)
        self.output, self.length = last, tail
        if self._total > _MEMORY or len(self._counts) > _OUTPUTS:
            self._forget()

    @property
    def usual(self) -> float:
        """The share of the present output before this run, one standard error above what was counted."""
        n = self._total + 2.0
        share = (self._counts.get(self.output, 0) + 1.0) / n  # type: ignore[arg-type]
        return min(1.0, share + sqrt(share * (1.0 - share) / n))

    @property
    def repeats(self) -> float:
        """How often an output is the same as another one, before this run."""
        return sum(count * count for count in self._counts.values()) / max(1, self._total) ** 2

    def stuck(self, false_alarms: float) -> bool:
        """Whether so long a run comes about by itself less often than `false_alarms` a query."""
        share = self.usual
        return share < _TRIVIAL and self._total >= 30 and self.length * log(share) < log(false_alarms)

    def _learn(self, output: Label | None, length: int) -> None:
        if output is not None:
            self._counts[output] += length
            self._total += length

    def _forget(self) -> None:
        halved = {output: count // 2 for output, count in self._counts.most_common(_OUTPUTS // 2) if count > 1}
        self._counts, self._total = Counter(halved), sum(halved.values())
