"""How large a batch may be: learned for each replica from the service times of its batches."""

from __future__ import annotations

from typing import Protocol


class Controller(Protocol):
    """Learns the batch size that meets an objective."""

    @property
    def limit(self) -> int:
        """The most rows that the next batch may hold, at least 1."""

    def served(self, size: int, seconds: float) -> None:
        """A batch of `size` rows took `seconds` of service, waiting behind other batches not counted."""


class AIMD:
    """Additive increase, multiplicative decrease (Crankshaw et al., Clipper, NSDI 2017, section 4.3.1).

    From 1 row, `step` rows more after each batch that was full and fast; `backoff` times as many rows
    after one that took longer than `objective` seconds; unchanged in the `slack` share below the objective.

    Batches in flight when the limit fell were made under the old one: they do not lower it twice.
    """

    __slots__ = ("backoff", "limit", "objective", "slack", "step")

    def __init__(self, objective: float, step: int = 2, backoff: float = 0.9, slack: float = 0.1) -> None:
        self.objective = objective
        self.step = step
        self.backoff = backoff
        self.slack = slack
        self.limit = 1

    def served(self, size: int, seconds: float) -> None:
        """See Controller."""
        if seconds > self.objective:
            reduced = int(self.backoff * max(size, self.limit))
            self.limit = max(1, min(self.limit, reduced))
        elif size >= self.limit and seconds <= self.objective * (1 - self.slack):
            self.limit += self.step
