"""What policies may know of the models when they choose: cost, version, and how long an answer should take."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from selector.decisions import Feature
from serving.models import Model

FRESH = 1.0
"""Seconds for which latencies are told as they were: reading them is not for every query."""


class Profiles:
    """`Query.about` of one application's models, by key.

    Of each its `cost`, `version`, and `latency`: the milliseconds from asking to the answer that are to be expected,
    missing while nothing has been measured. `clock` gives seconds.
    """

    def __init__(self, models: Mapping[str, Model], clock: Callable[[], float]) -> None:
        self._models = models
        self._clock = clock
        self._told: dict[str, dict[str, Feature]] = {}
        self._until = clock()

    def now(self) -> dict[str, dict[str, Feature]]:
        """What is known, at most a second old; never changed once told, for decisions keep it."""
        now = self._clock()
        if now >= self._until:
            self._until = now + FRESH
            self._told = {key: _profile(model) for key, model in self._models.items()}
        return self._told


def _profile(model: Model) -> dict[str, Feature]:
    profile: dict[str, Feature] = {"cost": model.cost, "version": model.version}
    if latency := round(model.latency * 1e3, 1):
        profile["latency"] = latency
    return profile
