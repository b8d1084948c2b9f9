"""`windjammer replay --app`: policies on the log of an application, as if they had been there."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from contextlib import ExitStack
from hashlib import blake2b
from importlib.metadata import version
from math import inf
from typing import Any

import numpy as np

from feedback_store.contract import Log, Pending
from feedback_store.opening import open_log
from feedback_store.ownership import held_alone
from selector.decisions import Decision
from selector.policy import Policy
from selector.replay import InvalidCandidate, InvalidLog
from selector.replay.contender import LOGGED
from selector.replay.exact import Course
from selector.replay.models import MeanReward
from serving.config import ApplicationConfig, Config
from serving.promotion import adoption, check_adoptable, in_force
from serving.replaying.gate import Finding, describe, find, in_force_since
from serving.replaying.policies import asked_for
from serving.replaying.request import Request
from serving.replaying.results import Outcome, Results, Settings, iso, verdict
from serving.replaying.tables import Advance
from serving.replaying.trial import Trial, follow, trial_of
from serving.service import spool_folder
from serving.settings import check_choice


def results(request: Request, config: Config, advance: Advance) -> Results:
    """Evaluate on the store that `config` names; with `promote`, put the candidates to the gate.

    To adopt one the store is held alone, so no server may run on it: that has a route for it. Raises WindjammerError.
    """
    assert request.app is not None
    check_choice("application", request.app, config.applications, "--app")
    configured = config.applications[request.app]
    candidates = _candidates(request, config, configured)
    if config.store.url == "memory://":
        raise InvalidLog("the configuration keeps its log in memory://, of which nothing is left to replay")
    with ExitStack() as held:
        if request.promote and request.yes:
            check_adoptable(configured, candidates.values())
            held.enter_context(held_alone(spool_folder(config)))
        log = open_log(config.store.url)
        held.callback(log.close)
        costs = {key: model.cost for key, model in config.models.items()}
        trial = trial_of(
            in_force(configured, log),
            costs,
            candidates,
            estimators=tuple(request.estimators),
            confidence=request.confidence,
            seed=request.seed,
        )
        return _results(request, configured, trial, advance, log)


def _results(request: Request, configured: ApplicationConfig, trial: Trial, advance: Advance, log: Log) -> Results:
    since = in_force_since(log, trial.application) if request.promote else -inf
    followed = follow(trial, log, since=since, segment=_segment(request.by), advance=advance)
    course, partial = followed.course, followed.partial
    gate = None
    if request.promote:
        finding = find(trial, followed, request.margin, log)
        gate = describe(finding) | {"adopted": request.yes and _adopted(configured, trial, finding, log)}
    return Results(
        settings=_settings(request, trial, course),
        whole=course.evaluation,
        partial=partial,
        outcomes=_outcomes(course),
        models=course.models,
        oracle=course.oracle,
        verdict=verdict(partial or course.evaluation, request.confidence),
        gate=gate,
    )


def _adopted(configured: ApplicationConfig, trial: Trial, finding: Finding, log: Log) -> bool:
    """Whether a policy was adopted: the next server starts with it."""
    if finding.ruling.adopt is None:
        return False
    change = adoption(configured, trial.candidates[finding.ruling.adopt], finding.evidence)
    log.commit([], [Pending(trial.application, None, time.time(), change)])
    return True


def _settings(request: Request, trial: Trial, course: Course) -> Settings:
    return Settings(
        log=f"application {trial.application}",
        decisions=course.decisions,
        first=iso(course.first),
        last=iso(course.last),
        candidates={name: policy.settings for name, policy in trial.candidates.items()},
        estimators=trial.estimators,
        by=request.by,
        confidence=trial.confidence,
        seed=trial.seed,
        version=version("windjammer"),
    )


def _candidates(request: Request, config: Config, application: ApplicationConfig) -> dict[str, Policy[Any]]:
    models = {config.models[key].name: key for key in application.models}
    costs = {key: config.models[key].cost for key in application.models}
    found = asked_for(request, application.task, models, costs)
    if not found:
        raise InvalidCandidate("expected --policy NAME, or --compare NAME")
    return found


def _segment(by: str | None) -> Callable[[Decision], str] | None:
    """By `user`, by `day`, by the `models` that could be asked, with their versions, or by a feature of the query."""
    if by is None:
        return None
    if by == "user":
        return lambda decision: decision.query.user or "(nobody)"
    if by == "day":
        return lambda decision: (iso(decision.at) or "")[:10]
    if by == "models":
        return lambda decision: ", ".join(decision.query.available)
    return lambda decision: str(decision.query.features.get(by, "(none)"))


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
            sure=account.sure / max(1, account.answered),
            default=account.silent / max(1, account.answered),
            unknown=account.unknown / n,
            latency_ms=_latency_ms(account.latencies),
            state=None if state is None else blake2b(state, digest_size=16).hexdigest(),
            curve=[(count, reward) for count, reward in account.curve],
            segments={name: MeanReward(total / count, int(count)) for name, (count, total) in account.segments.items()},
        )
    return {LOGGED: found.pop(LOGGED), **found}


def _latency_ms(seconds: array[float]) -> tuple[float, float] | None:
    if not seconds:
        return None
    values = np.array(seconds) * 1e3
    return float(values.mean()), float(np.quantile(values, 0.95))
