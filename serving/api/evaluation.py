"""The route by which a running server evaluates other policies on its own log, and adopts a better one."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from msgspec import DecodeError, json
from msgspec.structs import replace
from starlette.responses import Response

from feedback_store.contract import Snapshot
from selector.errors import WindjammerError
from selector.policy import Policy
from selector.replay import InvalidLog
from serving.api.admin import found
from serving.api.bodies import EvaluateBody
from serving.api.body_reader import cause
from serving.api.documentation import taking
from serving.api.routes import read_body
from serving.choices import read_policy
from serving.config import ApplicationConfig, Config
from serving.errors import BadRequest
from serving.knowledge import Adoption
from serving.promotion import adoption, check_adoptable
from serving.replaying.gate import Finding, describe
from serving.replaying.policies import label
from serving.replaying.process import in_own_process
from serving.replaying.trial import trial_of
from serving.service import fold_key
from serving.settings import ConfigError

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from serving.application import Application
    from serving.service import Service


class Evaluations:
    """Evaluates policies for a service, one evaluation at a time: each takes a core and reads the whole log."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._turn = asyncio.Lock()

    async def evaluate(self, application: Application, body: EvaluateBody) -> dict[str, Any]:
        """What the gate found, and whether a policy was `adopted`, which a dry run never is. Raises WindjammerError."""
        config = self._service.config
        configured, url = config.applications[application.name], config.store.url
        candidates = _candidates(body, config, configured)
        if url == "memory://":
            raise InvalidLog("the log is kept in memory, which no other process can read")
        if not body.dry_run:
            check_adoptable(configured, candidates.values())
        async with self._turn:
            costs = {key: model.cost for key, model in config.models.items()}
            trial = trial_of(application.config, costs, candidates, confidence=body.confidence, seed=body.seed)
            finding = await in_own_process(trial, body.margin, url)
            adopt = finding.ruling.adopt
            logger.info("application %s: evaluated %s", application.name, finding.evidence)
            if adopt is not None and not body.dry_run:
                await _adopted(application, configured, candidates[adopt], finding)
        return describe(finding) | {"dry_run": body.dry_run, "adopted": adopt is not None and not body.dry_run}


def evaluation(service: Service) -> APIRouter:
    """POST /admin/applications/{app}/evaluate."""
    router = APIRouter(prefix="/admin", tags=["admin"], default_response_class=Response)
    evaluations = Evaluations(service)

    @router.post(
        "/applications/{app}/evaluate",
        summary="Evaluate other policies on its log, and adopt a better one",
        openapi_extra=taking(EvaluateBody),
    )
    async def evaluate(app: str, request: Request) -> Response:
        application = found(service, app)
        try:
            body = json.decode(await read_body(request, service.config.server.body_limit), type=EvaluateBody)
        except DecodeError as error:
            raise BadRequest(cause(error, EvaluateBody.__struct_encode_fields__)) from None
        return Response(json.encode(await evaluations.evaluate(application, body)), media_type="application/json")

    return router


def _candidates(body: EvaluateBody, config: Config, configured: ApplicationConfig) -> dict[str, Policy[Any]]:
    models = {config.models[key].name: key for key in configured.models}
    costs = {key: config.models[key].cost for key in configured.models}
    try:
        return {label(v): read_policy(v, configured.task, models, costs, "candidates") for v in body.candidates}
    except ConfigError as error:
        raise BadRequest(str(error)) from None


async def _adopted(
    application: Application, configured: ApplicationConfig, policy: Policy[Any], finding: Finding
) -> None:
    """Wait until the application decides by `policy`. Raises WindjammerError if it does not."""
    told: asyncio.Future[WindjammerError | None] = asyncio.get_running_loop().create_future()
    fold = replace(application.config, policy=policy).fold
    key = fold_key(fold)
    snapshot = Snapshot(application.name, None, key, finding.position, finding.state)
    change = adoption(configured, policy, finding.evidence)
    application.adopt(Adoption(change, fold, key, snapshot), told.set_result)
    error = await told
    if error is not None:
        raise error
