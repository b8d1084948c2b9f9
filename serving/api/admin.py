"""What a server has and what it has learned, for people and scripts. Everything here only reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from msgspec import json, to_builtins
from starlette.responses import Response

from selector.errors import WindjammerError
from serving.config import ModelConfig
from serving.errors import UnknownApplication, UnknownModel
from serving.settings import unknown

if TYPE_CHECKING:
    from serving.application import Application
    from serving.models import Model
    from serving.service import Service


def admin(service: Service) -> APIRouter:
    """The routes under /admin. Times in milliseconds, sizes in bytes."""
    router = APIRouter(prefix="/admin", tags=["admin"], default_response_class=Response)

    @router.get("/applications", summary="All applications")
    async def applications() -> Response:
        return _json([_application(application) for application in service.applications.values()])

    @router.get("/applications/{name}", summary="One application, with all its settings")
    async def one_application(name: str) -> Response:
        application = found(service, name)
        return _json(_application(application) | _settings(application))

    @router.get("/applications/{name}/state", summary="What its policy knows, by model: of one user, or of all")
    async def state(name: str, user: str | None = None) -> Response:
        application = found(service, name)
        return _json(application.state() if user is None else await _told(partial(application.state_of, user)))

    @router.get("/applications/{name}/health", summary="Which of its models are healthy, since when, and why not")
    async def health(name: str) -> Response:
        return _json(found(service, name).health.describe())

    @router.get("/models", summary="All versions of all models")
    async def models() -> Response:
        return _json([_model(service.config.models[key], model) for key, model in service.models.items()])

    @router.get("/models/{name}/versions/{version}", summary="One version of a model, with its counters")
    async def model(name: str, version: str) -> Response:
        key = f"{name}:{version}"
        if key not in service.models:
            raise UnknownModel(unknown("model", key, service.models))
        config, found = service.config.models[key], service.models[key]
        return _json(_model(config, found) | _workings(config, found))

    return router


async def _told(ask: Callable[[Callable[[dict[str, Any] | WindjammerError], None]], None]) -> dict[str, Any]:
    """What `ask` hands to its callback. Raises the error if it is one."""
    told: asyncio.Future[dict[str, Any] | WindjammerError] = asyncio.get_running_loop().create_future()
    ask(told.set_result)
    answer = await told
    if isinstance(answer, WindjammerError):
        raise answer
    return answer


def _json(content: object) -> Response:
    return Response(json.encode(content), media_type="application/json")


def found(service: Service, name: str) -> Application:
    """The application of that name. Raises UnknownApplication."""
    if name not in service.applications:
        raise UnknownApplication(unknown("application", name, service.applications))
    return service.applications[name]


def _application(application: Application) -> dict[str, Any]:
    config = application.config
    return {
        "name": config.name,
        "models": config.models,
        "health": {model: application.health.state(model) for model in config.models},
        "policy": config.policy.name,
        "task": config.task,
        "input": str(config.input),
        "slo_ms": config.slo * 1e3,
    }


def _settings(application: Application) -> dict[str, Any]:
    config = application.config
    return {
        "policy": json.decode(config.policy.settings),
        "input": to_builtins(config.input),
        "loss": to_builtins(config.loss),
        "classes": config.classes,
        "default_output": config.default_output,
        "target_error": config.target_error,
        "coverage": config.coverage,
        "when_unsure": config.when_unsure,
        "shadow_share": config.shadow_share,
        "quarantine": config.quarantine,
        "probing_share": config.probing_share,
        "adoption": config.adoption,
        "user": config.user,
        "features": config.features,
        "blend": config.blend,
        "user_influence": config.user_influence,
        "log_inputs": config.log_inputs,
        "cache_bytes": config.cache_bytes,
        "cache_ttl_ms": config.cache_ttl * 1e3,
    }


def _model(config: ModelConfig, model: Model) -> dict[str, Any]:
    counters = model.counters
    return {
        "name": config.name,
        "version": config.version,
        "runtime": config.runtime,
        "available": model.available,
        "replicas": len(model.limits),
        "queries": counters.queries,
        "mean_batch": counters.queries / counters.batches if counters.batches else None,
        "failed": counters.failed,
    }


def _workings(config: ModelConfig, model: Model) -> dict[str, Any]:
    counters = model.counters
    return {
        "artifact": config.artifact,
        "device": config.device,
        "cost": config.cost,
        "classes": config.classes,
        "replicas_wanted": config.replicas,
        "queue": config.queue,
        "waiting": model.waiting,
        "batch_limits": model.limits,
        "batches": counters.batches,
        "busy_ms": counters.seconds * 1e3,
        "refused": counters.refused,
        "expired": counters.expired,
        "retried": counters.retried,
    }
