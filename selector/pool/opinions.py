"""What the pool thinks of one ballot, and what it looked at."""

from __future__ import annotations

from msgspec import Struct

from selector.pool.voter import Duel


class Contest(Struct, frozen=True):
    """Two leaders that disagree in this ballot: their candidates, the bin of their scores, the log odds of both."""

    duel: Duel
    first: int
    second: int
    bin: int
    odds: tuple[float, float]


class Evidence(Struct, frozen=True):
    """What the first opinion looked at: contests, key of the coalition, and its log odds for each candidate."""

    contests: list[Contest]
    coalition: int
    odds: list[float]


class Meanings(Struct, frozen=True):
    """What the second opinion looked at: for each voter log P(outcome | its answer), and before any answer."""

    by_voter: list[list[float]]
    before: list[float]


class Opinions(Struct, frozen=True):
    """The chance of each outcome by the first opinion, by the second, and mixed; the last outcome is "none"."""

    first: list[float]
    second: list[float]
    mixed: list[float]
    evidence: Evidence
    meanings: Meanings
