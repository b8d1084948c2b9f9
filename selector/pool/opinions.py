"""What the pool thinks of one ballot, and what it looked at."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from selector.decisions import Label
from selector.pool.voter import Duel

Contest = tuple[Duel, int, int, int, float, float]
"""Two leaders that disagree in this ballot: their candidates, the bin of their scores, the log odds of both."""


class Evidence(Struct, frozen=True, gc=False):
    """What the first opinion looked at: log odds by voter, contests, the coalition and its log odds by candidate."""

    by_voter: list[float]
    contests: list[Contest]
    coalition: int
    odds: list[float]


class Meanings(Struct, frozen=True, gc=False):
    """What the second opinion looked at: for each voter log P(outcome | its answer), and before any answer."""

    by_voter: list[list[float]]
    before: list[float]


class Opinions(Struct, frozen=True, gc=False):
    """The chance of each outcome by the first opinion, by the second, and mixed; the last outcome is "none"."""

    first: list[float]
    second: list[float]
    mixed: list[float]
    evidence: Evidence
    meanings: Meanings


class Lesson(Struct, frozen=True):
    """The chance of each label given to one query, as it was thought to be, and as it is known now."""

    labels: Sequence[Label]
    claimed: Sequence[float]
    known: Sequence[float]

    @property
    def answer(self) -> Label:
        """The label that was thought most likely."""
        return self.labels[self.claimed.index(max(self.claimed))]

    def claim(self, label: Label) -> tuple[float, bool] | None:
        """How likely a label was thought to be right, and whether it was, if that is known."""
        i = self.labels.index(label)
        return (self.claimed[i], self.known[i] == 1.0) if self.known[i] in (0.0, 1.0) else None
