"""The states of a model's health, and what leads from one to the other."""

from __future__ import annotations

from selector.decisions import HealthChanged, HealthState
from selector.health.signs import Findings
from selector.health.trial import Trials


def examined(model: str, state: HealthState, findings: Findings, spared: bool) -> HealthChanged | None:
    """What becomes of a model that is asked as usual, healthy or suspect; None if nothing does.

    `spared`: a better model is left to answer; without one, a model stays, whatever it does.
    """
    if findings.failed and spared:
        return HealthChanged(model, "quarantined", findings.failed, findings.levels)
    if findings.changed:
        return None if state == "suspect" else HealthChanged(model, "suspect", findings.changed)
    return None if state == "healthy" else HealthChanged(model, "healthy", "everything is at its usual level again")


def probed(model: str, trials: Trials) -> HealthChanged | None:
    """What becomes of a model in quarantine: asked again once its probes are as they were while it was well."""
    name = trials.recovered
    if not name:
        return None
    trial = trials.by_name[name]
    mean = trial.good_total / trial.good_count
    evidence = f"its {name} was {mean:.2f} over the last {trial.good_count:.0f} probes, usually {trial.well:.2f}"
    return HealthChanged(model, "probing", evidence, trials.levels)


def rescued(model: str, trials: Trials) -> HealthChanged:
    """What becomes of a model in quarantine when those outside of it have failed."""
    return HealthChanged(model, "probing", "all models that were asked have failed", trials.levels)


def watched(model: str, trials: Trials, spared: bool) -> HealthChanged | None:
    """What becomes of a model that is asked again after a quarantine: back into it at once, or healthy."""
    name = trials.relapsed
    if name and spared:
        trial = trials.by_name[name]
        mean = trial.bad_total / trial.bad_count
        evidence = f"its {name} was {mean:.2f} over the last {trial.bad_count:.0f} again, usually {trial.well:.2f}"
        return HealthChanged(model, "quarantined", evidence, trials.levels)
    if not name and trials.held:
        return HealthChanged(model, "healthy", "it has answered as before for a while")
    return None
