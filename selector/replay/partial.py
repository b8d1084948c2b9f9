"""From an application's log to logged decisions, where each shows what came of one model."""

from __future__ import annotations

from collections.abc import Iterable

from selector.decisions import Decision, Label
from selector.losses import Loss, losses_of
from selector.replay.consequences import loss_of
from selector.replay.logged import LoggedDecisions
from selector.replay.rehearsal import Judged


def single_choices(judged: Iterable[Judged], loss: Loss, default: Label | None = None) -> LoggedDecisions | None:
    """The decisions as a table, with features as contexts; None unless each asked one model.

    A model that did not answer in time left it to the `default` output (see `loss_of`). Decisions of whose loss nothing
    is known are left out.
    """
    rows: list[tuple[str, float, float, Decision]] = []
    for each in judged:
        decision = each.decision
        if len(decision.selections) != 1 or len(decision.selections[0].models) != 1:
            return None
        (selection,) = decision.selections
        known = _loss(each, selection.models[0], loss, default)
        if known is not None:
            rows.append((selection.models[0], 1.0 - known, selection.probability, decision))
    if not rows:
        return None
    models, rewards, probabilities, decisions = zip(*rows, strict=True)
    names = sorted(set.intersection(*(set(d.query.features) for d in decisions)))
    return LoggedDecisions(
        list(models),
        list(rewards),
        list(probabilities),
        {name: [d.query.features[name] for d in decisions] for name in names} or None,
        [d.query.user or f"query {d.query.id}" for d in decisions] if any(d.query.user for d in decisions) else None,
        [d.at for d in decisions],
    )


def _loss(judged: Judged, model: str, loss: Loss, default: Label | None) -> float | None:
    if model in judged.unanswered:
        return loss_of(judged.decision, judged, loss, default)
    return losses_of(judged.decision, judged.feedback, loss).get(model)
