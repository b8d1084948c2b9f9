"""Many requests in one body: each is answered in its place, and all answers leave together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from serving.api.errors import Failure, failure
from serving.values import ObserveReply, PredictReply, Reply

Outcome = PredictReply | ObserveReply | Failure


class Batch:
    """Collects the outcomes of `size` rows; `done` is called once, when the last is there (at once if none is awaited).

    A row that fails does not spoil the others: its place holds the error.
    """

    def __init__(self, size: int, done: Callable[[list[Outcome]], None]) -> None:
        self._outcomes: list[Outcome] = [_PENDING] * size
        self._missing = size
        self._done = done
        if not size:
            done([])

    def place(self, index: int) -> Reply:
        """What the row's outcome is to be given to."""
        return partial(self._fill, index)

    def _fill(self, index: int, outcome: PredictReply | ObserveReply | Exception) -> None:
        self._outcomes[index] = failure(outcome) if isinstance(outcome, Exception) else outcome
        self._missing -= 1
        if not self._missing:
            self._done(self._outcomes)


_PENDING = Failure("", "")
