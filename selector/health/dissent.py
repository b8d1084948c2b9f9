"""Does a model dissent from its siblings more than it used to, and does that make it useless?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from selector.decisions import Label
from selector.health.labelled import Case
from selector.health.signal import KNOWN, SILENT, Signal

USEFUL = 0.2
"""A model that agrees with its siblings less than this above chance has nothing to lose."""
LEFT = 0.25
"""A model with at most this part of its usefulness left has failed."""
ENOUGH = 10.0
"""Labels that tell what a model is worth now."""
_PLENTY = 24.0  # queries without labels
_SHARED = 2 / 3  # with at least this part of its new dissent among its siblings too, it is not its own
_DIVIDED = 0.7  # of one mind less than this part as often as usual, siblings are no measure
_BLOCKS = 16.0  # that are remembered
_MINDS = 1_000  # that are counted
_FAR = 0.6  # a number that dissents this often tells nothing


class Dissent(Signal):
    """How often one model says something else than its siblings where these are of one mind."""

    def __init__(self, usual: float = 0.0, known: float = 0.0) -> None:
        super().__init__(SILENT, usual, known, trusted=KNOWN)
        self._said: Counter[Label] = Counter()  # since the model began to dissent
        self._minds: Counter[Label] = Counter()
        self._usual_minds: Counter[Label] = Counter()  # before that
        self._unity = 1.0  # how often its siblings are of one mind
        self._usual_unity = 1.0
        self._blocks = 0.0
        self._since = 0  # the last query before those whose dissents count
        self._labels = 0.0  # of later ones
        self._losses = 0.0

    def vote(self, n: int, dissents: int, outputs: Sequence[Label], minds: Counter[Label], newest: int) -> None:
        """In `n` of its queries its siblings were of one mind, and `dissents` times it was not; what all said.

        `newest` is the last of these queries.
        """
        rate = n / len(outputs)
        self._unity += (rate - self._unity) / 2
        if n:
            self.add(n, dissents)
        if not self.rising:
            self._since, self._labels, self._losses = newest, 0.0, 0.0
        if not self.changed:
            self._blocks = min(_BLOCKS, self._blocks + 1.0)
            self._usual_unity += (rate - self._usual_unity) / self._blocks
            self._said, self._minds = Counter(), Counter()
            self._usual_minds.update(minds)
            if self._usual_minds.total() > _MINDS:
                self._usual_minds = Counter({mind: n // 2 for mind, n in self._usual_minds.items() if n > 1})
        elif len(self._said) < _MINDS:
            self._said.update(outputs)
            self._minds.update(minds)

    def learn(self, case: Case) -> None:
        """A label has come for what the model said."""
        if case.query > self._since:
            self._labels += 1.0
            self._losses += case.loss

    def common(self, siblings: Sequence[Dissent]) -> bool:
        """Whether the siblings dissent more as well, or have no mind, so that it may be the inputs that have changed.

        A sibling who knew only this one dissents just as often: of two models none can tell who has changed.
        """
        if self._unity < _DIVIDED * self._usual_unity:
            return True
        others = [sibling._shift for sibling in siblings if sibling.seen > 0]
        return not others or median(others) > _SHARED * self._shift

    def useless(self, siblings: Sequence[Dissent], usual_loss: float, numbers: bool) -> str:
        """How it came to know nothing of what its siblings say, in words; empty unless that is so.

        `usual_loss` is what it loses usually, where there are labels. `numbers` tells regression.
        """
        if not self.changed or self.count < _PLENTY or self._cleared(usual_loss) or self.common(siblings):
            return ""
        chance = 1.0 - _FAR if numbers else min(_agreement(self._said, m) for m in (self._minds, self._usual_minds))
        usual = 1.0 - self.usual - chance
        if usual < USEFUL or 1.0 - self.level - chance > LEFT * usual:
            return ""
        return f"it dissents from its siblings {self.now}; by chance {1.0 - chance:.2f}"

    def _cleared(self, usual_loss: float) -> bool:
        """Whether labels of what it has said since say that its dissent does not make it wrong."""
        return self._labels >= ENOUGH and self._losses / self._labels - usual_loss < self.excess / 2

    @property
    def _shift(self) -> float:
        """The excess as a part of what there was room for."""
        return self.excess / max(0.1, 1.0 - self.usual)


def _agreement(said: Counter[Label], minds: Counter[Label]) -> float:
    """How often two that know nothing of each other agree, if each says its labels as often as counted."""
    pairs = sum(said.values()) * sum(minds.values())
    return sum(count * minds.get(label, 0) for label, count in said.items()) / pairs if pairs else 0.0
