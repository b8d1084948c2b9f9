"""What the pool thinks of one ballot, and what it looked at."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from selector.pool.ballot import Ballot
from selector.pool.voter import Duel

Contest = tuple[Duel, int, int, int]
"""Two leaders that disagree in this ballot: their candidates, and the bin of their scores."""


class Evidence(Struct, frozen=True, gc=False):
    """What the first opinion looked at: log odds by candidate, of the contests and of the coalition."""

    contests: list[Contest]
    margins: list[float]
    coalition: int
    record: list[float]


class Opinions(Struct, frozen=True, gc=False):
    """The chance of each outcome by the first opinion, by the second, and mixed; the last outcome is "none".

    `evidence` is what the first looked at; `before`, what the second did: log P(outcome) before any answer.
    """

    first: list[float]
    second: list[float]
    mixed: list[float]
    evidence: Evidence
    before: list[float]


class Lesson(Struct, frozen=True, gc=False):
    """The chance of each outcome of one ballot: as it was thought, and as it is known."""

    ballot: Ballot
    claimed: list[float]
    known: list[float]


def best(opinion: Sequence[float]) -> int:
    """The candidate that is most likely right; among equals the first."""
    found = opinion.index(max(opinion))
    return found if found < len(opinion) - 1 else opinion.index(max(opinion[:-1]))
