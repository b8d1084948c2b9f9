"""How a model stands: the fold of the changes of its health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from selector.decisions import HealthChanged, HealthState


class Standing(Struct, frozen=True, array_like=True):
    """A model's health since `since` (seconds since the epoch), with what `HealthChanged` told of it."""

    state: HealthState
    since: float
    evidence: str
    levels: dict[str, tuple[float, float]] = {}


def with_change(standings: Mapping[str, Standing], event: HealthChanged, at: float) -> dict[str, Standing]:
    """The standings after `event`, sorted by model."""
    levels = dict(sorted(event.levels.items()))
    changed = {**standings, event.model: Standing(event.state, at, event.evidence, levels)}
    return dict(sorted(changed.items()))


def kept(standings: Mapping[str, Standing], models: Iterable[str]) -> dict[str, Standing]:
    """The standings of those that are among `models`."""
    present = set(models)
    return {model: standing for model, standing in standings.items() if model in present}


def quarantined(standings: Mapping[str, Standing]) -> frozenset[str]:
    """The models that are to be left out."""
    return frozenset(model for model, standing in standings.items() if standing.state == "quarantined")
