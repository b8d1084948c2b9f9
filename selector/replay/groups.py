"""Groups of decisions, which are resampled in their place."""

from __future__ import annotations

import numpy as np

from selector.replay.logged import Integers
from selector.replay.source import Part

GROUPS = 1_000
"""Up to so many decisions (or users), each is a group of its own."""


class Groups:
    """Deals decisions into at most `GROUPS` groups.

    All of a user's are in one group; without users, each run of `GROUPS` rows has one in every group, at random.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self._deal: Integers = np.empty(0, dtype=np.intp)

    def of(self, part: Part) -> Integers:
        """The group of each row of the next part."""
        if part.users is not None:
            return part.users % GROUPS
        n = len(part)
        while len(self._deal) < n:
            self._deal = np.concatenate([self._deal, self._rng.permutation(GROUPS)])
        dealt, self._deal = self._deal[:n], self._deal[n:]
        return dealt
