"""Which models in quarantine are asked beside a query, to find out whether they have recovered."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from selector.health.trial import Trials

HOPE = 0.5  # the share of queries that are probes, while the last probe was good
FOLLOW_UP = 8  # of them at most, for each good probe


class Probes:
    """A `share` of queries are probes. A good one is followed up at once, by up to FOLLOW_UP in half of the queries."""

    def __init__(self, share: float) -> None:
        self.share = share
        self._follow_up: dict[str, int] = {}

    def draw(self, models: Iterable[str], rng: Random) -> tuple[tuple[str, float], ...]:
        """Those of `models` that are to be asked beside this query, each with its probability."""
        drawn = []
        for model in models:
            hopeful = self._follow_up.get(model, 0) > 0
            share = max(HOPE, self.share) if hopeful else self.share
            if rng.random() < share:
                self._follow_up[model] = self._follow_up.get(model, 0) - hopeful
                drawn.append((model, share))
        return tuple(drawn)

    def follow(self, model: str, trials: Trials, before: float) -> None:
        """A sign of recovery is followed up, if there is more hope than `before`."""
        if trials.hope == 0.0:
            self._follow_up[model] = 0
        elif trials.hope > before:
            self._follow_up[model] = FOLLOW_UP

    def forget(self, model: str) -> None:
        """It begins anew."""
        self._follow_up.pop(model, None)
