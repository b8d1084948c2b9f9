"""Policies tried on the log of an application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from random import Random
from typing import Any, cast

from msgspec import Struct

from feedback_store.contract import Log
from selector.certainty import Certainty
from selector.decisions import Decision, Label, Query
from selector.fold import Fold
from selector.losses import AnyLoss
from selector.policies import AnyPolicy, Static
from selector.policies.single import Single
from selector.replay import Evaluation, evaluate
from selector.replay.exact import Course, Setting, is_judged, replay
from selector.replay.partial import single_choices
from selector.replay.rehearsal import Judged
from serving.config import ApplicationConfig

Segment = Callable[[Decision], str]
Advance = Callable[[float], None]


class Trial(Struct, frozen=True, kw_only=True):
    """Candidates for an application: all that the outcome depends on, beside the log. `policy` is the one in force.

    `confidence` is that of every interval; `estimators` are for candidates of whose choices the log does not tell all.
    """

    application: str
    policy: AnyPolicy
    loss: AnyLoss
    candidates: dict[str, AnyPolicy]
    certainty: Certainty | None = None
    influence: float = 1.0
    default: Label | None = None
    costs: dict[str, float] = {}
    estimators: tuple[str, ...] = ()
    confidence: float = 0.95
    seed: int = 0

    def fold(self, policy: AnyPolicy) -> Fold:
        """What the log is folded with under a policy."""
        return Fold(policy=policy, loss=self.loss, certainty=self.certainty, influence=self.influence)


class Followed(Struct, frozen=True):
    """The replay of a trial; `partial` are estimates from single choices, where the log does not tell all."""

    course: Course
    partial: Evaluation | None

    @property
    def evaluation(self) -> Evaluation:
        """The one to go by: the exact one, unless the log tells all of no candidate."""
        exact = self.course.evaluation
        told = any(self.course.accounts[row.candidate].unknown == 0 for row in exact)
        return exact if told or self.partial is None else self.partial


def trial_of(config: ApplicationConfig, costs: dict[str, float], candidates: dict[str, Any], **settings: Any) -> Trial:
    """Candidates for an application with its settings. `costs` of models by key."""
    fold = config.fold
    return Trial(
        application=config.name,
        policy=cast("AnyPolicy", fold.policy),
        loss=cast("AnyLoss", fold.loss),
        certainty=fold.certainty,
        influence=fold.influence,
        default=config.default_output,
        costs=costs,
        candidates=candidates,
        **settings,
    )


def follow(
    trial: Trial, log: Log, *, since: float = -inf, segment: Segment | None = None, advance: Advance | None = None
) -> Followed:
    """Follow the candidates through the log, judging decisions since a time. Raises InvalidLog or InvalidCandidate."""
    course = replay(
        _judged(log, trial.application),
        _watched(log, trial.application, advance) if advance else log.entries(trial.application),
        trial.candidates,
        Setting(fold=trial.fold(trial.policy), default=trial.default, costs=trial.costs),
        confidence=trial.confidence,
        seed=trial.seed,
        segment=segment,
        since=since,
    )
    return Followed(course, _partial(trial, log, course, since))


def _partial(trial: Trial, log: Log, course: Course, since: float) -> Evaluation | None:
    """Estimates from single choices, of candidates that make such; None if the log has others, or tells all."""
    unknown = {name: policy for name, policy in trial.candidates.items() if course.accounts[name].unknown}
    if not any(isinstance(policy, Single | Static) for policy in unknown.values()):
        return None
    judged = (each for each in _judged(log, trial.application) if is_judged(each.decision, since))
    table = single_choices(judged, trial.loss, trial.default)
    if table is None:
        return None
    actions = tuple(sorted(set(table.actions.tolist())))
    estimable = {name: policy for name, policy in unknown.items() if _chooses(policy, actions)}
    return evaluate(table, estimable, trial.estimators or None, trial.confidence, trial.seed) if estimable else None


def _chooses(policy: AnyPolicy, models: tuple[str, ...]) -> bool:
    """Whether it asks one model, and one of these."""
    if isinstance(policy, Static):
        state = policy.initial_state(models)
        return policy.select(state, Query(0, models), [], {}, Random(0)) is not None  # noqa: S311
    return isinstance(policy, Single)


def _judged(log: Log, application: str) -> Iterator[Judged]:
    return (Judged(decision, feedback) for decision, feedback in log.judged(application))


def _watched(log: Log, application: str, advance: Advance) -> Iterator[Any]:
    head = max(1, log.head())
    for entry in log.entries(application):
        yield entry
        advance(entry.position / head)
