"""Is a model stuck? How long it has said the same, against how often it usually says that."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from math import log, sqrt

from selector.decisions import Label

_OUTPUTS = 1_000  # different outputs that are counted
_MEMORY = 20_000  # outputs, after which old ones count half
_LATELY = 128  # outputs
_TRIVIAL = 0.9  # a model that usually says one thing this often cannot be told from one that is stuck


class Run:
    """The present run of equal outputs of one model, and the shares of all its outputs before that run."""

    __slots__ = ("_counts", "_total", "lately", "length", "output")

    def __init__(self) -> None:
        self.output: Label | None = None
        self.length = 0
        self.lately: deque[Label] = deque(maxlen=_LATELY)
        self._counts: Counter[Label] = Counter()
        self._total = 0

    def add(self, outputs: Sequence[Label]) -> None:
        """The next outputs, in order."""
        last = outputs[-1]
        if last == self.output and outputs.count(last) == len(outputs):
            self.length += len(outputs)
            return
        tail = next((i for i, output in enumerate(reversed(outputs)) if output != last), len(outputs))
        head = outputs[: len(outputs) - tail]
        if self.output is not None:
            self._counts[self.output] += self.length
            self.lately.extend([self.output] * min(self.length, _LATELY))
        self._counts.update(head)
        self._total += self.length + len(head)
        self.lately.extend(head)
        self.output, self.length = last, tail
        if self._total > _MEMORY or len(self._counts) > _OUTPUTS:
            self._forget()

    def share_of(self, output: Label | None, last: int) -> float:
        """How often it said this in its `last` outputs."""
        run = min(self.length, last, _LATELY)
        rest = list(self.lately)[-(min(last, _LATELY) - run) :] if run < min(last, _LATELY) else []
        count = rest.count(output) + (run if output == self.output else 0)  # type: ignore[arg-type]
        return (count + 1.0) / (len(rest) + run + 2.0)

    @property
    def usual(self) -> float:
        """The share of the present output before this run, in all or lately, one standard error above the count."""
        lately = self.lately.count(self.output)  # type: ignore[arg-type]
        counts = self._counts.get(self.output, 0)  # type: ignore[arg-type]
        return max(_at_most(counts, self._total), _at_most(lately, len(self.lately)))

    @property
    def repeats(self) -> float:
        """How often an output is the same as another one, before this run."""
        return sum(count * count for count in self._counts.values()) / max(1, self._total) ** 2

    def drift(self, output: Label | None, last: int) -> float:
        """How much more often than usual it said this in its `last` outputs."""
        usual = self._counts.get(output, 0) / max(1, self._total)  # type: ignore[arg-type]
        return max(0.0, self.share_of(output, last) - usual)

    def chance(self, minds: Counter[Label]) -> float:
        """How often it would agree with `minds`, knew it nothing of them."""
        pairs = self._total * minds.total()
        return sum(count * minds.get(label, 0) for label, count in self._counts.items()) / pairs if pairs else 0.0

    def stuck(self, false_alarms: float, drift: float = 0.0) -> bool:
        """Whether so long a run comes about by itself less often than `false_alarms` a query.

        `drift` is how much more often siblings say the same than they did: the inputs may have changed.
        """
        share = self.usual + drift
        return 0.0 < share < _TRIVIAL and self._total >= 30 and self.length * log(share) < log(false_alarms)

    def _forget(self) -> None:
        halved = {output: count // 2 for output, count in self._counts.most_common(_OUTPUTS // 2) if count > 1}
        self._counts, self._total = Counter(halved), sum(halved.values())


def _at_most(count: int, total: int) -> float:
    share, n = (count + 1.0) / (total + 2.0), total + 2.0
    return min(1.0, share + sqrt(share * (1.0 - share) / n))
