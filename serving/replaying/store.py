"""`windjammer replay --app`: policies on the log of an application, as if they had been there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import version
from typing import Any

from feedback_store.contract import Log
from feedback_store.opening import open_log
from selector.decisions import Decision
from selector.policy import Policy
from selector.replay import Evaluation, InvalidCandidate, InvalidLog, evaluate
from selector.replay.exact import Course, Setting, replay
from selector.replay.judgement import LOGGED
from selector.replay.partial import single_choices
from selector.replay.rehearsal import Judged
from serving.config import ApplicationConfig, Config
from serving.replaying.policies import asked_for
from serving.replaying.request import Request
from serving.replaying.results import Outcome, Results, Settings, verdict
from serving.replaying.tables import Advance
from serving.settings import check_choice


def results(request: Request, config: Config, advance: Advance) -> Results:
    """Evaluate on the store that `config` names. Raises WindjammerError."""
    assert request.app is not None
    check_choice("application", request.app, config.applications, "--app")
    application = config.applications[request.app]
    candidates = _candidates(request, config, application)
    if config.store.url == "memory://":
        raise InvalidLog("the configuration keeps its log in memory://, of which nothing is left to replay")
    log = open_log(config.store.url)
    try:
        return _results(request, application, candidates, _costs(config), log, advance)
    finally:
        log.close()


def _results(
    request: Request,
    application: ApplicationConfig,
    candidates: Mapping[str, Policy[Any]],
    costs: Mapping[str, float],
    log: Log,
    advance: Advance,
) -> Results:
    setting = Setting(fold=application.fold, default=application.default_output, costs=costs)
    entries = _watched(log, application.name, advance)
    course = replay(
        _judged(log, application.name),
        entries,
        candidates,
        setting,
        confidence=request.confidence,
        seed=request.seed,
        segment=_segment(request.by),
    )
    partial = _partial(request, application, candidates, log) if _unknown(course) else None
    settings = _settings(request, application, candidates, course)
    whole = course.evaluation
    return Results(
        settings=settings,
        whole=whole,
        partial=partial,
        outcomes=_outcomes(course),
        models=course.models,
        verdict=verdict(partial or whole, request.confidence),
    )


def _settings(
    request: Request, application: ApplicationConfig, candidates: Mapping[str, Policy[Any]], course: Course
) -> Settings:
    return Settings(
        log=f"application {application.name}",
        decisions=course.decisions,
        first=_iso(course.first),
        last=_iso(course.last),
        candidates={name: policy.settings for name, policy in candidates.items()},
        confidence=request.confidence,
        seed=request.seed,
        version=version("windjammer"),
    )


def _candidates(request: Request, config: Config, application: ApplicationConfig) -> dict[str, Policy[Any]]:
    models = {config.models[key].name: key for key in application.models}
    costs = {key: config.models[key].cost for key in application.models}
    found = asked_for(request, application.task, models, costs)
    if not found:
        raise InvalidCandidate("expected --policy NAME, or --compare NAME")
    return found


def _costs(config: Config) -> dict[str, float]:
    return {key: model.cost for key, model in config.models.items()}


def _judged(log: Log, application: str) -> Iterator[Judged]:
    return (Judged(decision, feedback) for decision, feedback in log.judged(application))


def _watched(log: Log, application: str, advance: Advance) -> Iterator[Any]:
    head = max(1, log.head())
    for entry in log.entries(application):
        yield entry
        advance(entry.position / head)


def _segment(by: str | None) -> Callable[[Decision], str] | None:
    """By `user`, by `day`, or by a feature of the query."""
    if by is None:
        return None
    if by == "user":
        return lambda decision: decision.query.user or "(nobody)"
    if by == "day":
        return lambda decision: (_iso(decision.at) or "")[:10]
    return lambda decision: str(decision.query.features.get(by, "(none)"))


def _unknown(course: Course) -> bool:
    return any(account.unknown for account in course.accounts.values())


def _partial(
    request: Request, application: ApplicationConfig, candidates: Mapping[str, Policy[Any]], log: Log
) -> Evaluation | None:
    """Estimates from single choices, of those candidates that make such; None if the log has others."""
    table = single_choices(_judged(log, application.name), application.loss)
    if table is None:
        return None
    return evaluate(table, candidates, request.estimators or None, request.confidence, request.seed)


def _outcomes(course: Course) -> dict[str, Outcome]:
    found = {}
    for name, account in course.accounts.items():
        n = max(1, course.decisions)
        state = course.states.get(name)
        found[name] = Outcome(
            reward=account.reward / max(1, account.judged),
            regret=course.regret(name),
            models_asked=account.asked / n,
            cost=account.cost / n,
            sure=account.sure / n,
            default=account.silent / n,
            unknown=account.unknown / n,
            state=None if state is None else blake2b(state, digest_size=16).hexdigest(),
            curve=[(count, reward) for count, reward in account.curve],
            segments={segment: total / count for segment, (count, total) in account.segments.items()},
        )
    return {LOGGED: found.pop(LOGGED), **found}


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
