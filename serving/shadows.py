"""Models asked beside an answer, only to learn of them, and the feedback that must not overtake what they say."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)

SHADOWS_BYTES = 330
"""What the shadows of a query take."""


class Shadows:
    """Those of one query: `finished` when each of `models` has answered or failed, or at the deadline."""

    __slots__ = ("_awaited", "_waiting", "finished")

    def __init__(self, models: Iterable[str]) -> None:
        self.finished = False
        self._awaited = set(models)
        self._waiting: list[Callable[[], None]] = []

    def then(self, act: Callable[[], None]) -> None:
        """Call `act` when they are finished, which they are not yet."""
        self._waiting.append(act)

    def settle(self, model: str) -> None:
        """This one has answered, or never will."""
        self._awaited.discard(model)
        if not self._awaited and not self.finished:
            self.expire()

    def expire(self) -> None:
        """No more is waited for."""
        self.finished = True
        waiting, self._waiting = self._waiting, []
        for act in waiting:
            try:
                act()
            except Exception:  # others wait as well
                logger.exception("what waited for shadow queries raised")
