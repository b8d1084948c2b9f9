"""The whole HTTP interface as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client.exposition import choose_encoder
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selector.errors import WindjammerError
from serving.api.admin import admin
from serving.api.documentation import SCHEMAS, documentation
from serving.api.endpoints import endpoints
from serving.api.errors import UNEXPECTED, Failure, failed, refusal
from serving.api.evaluation import evaluation
from serving.api.heads import REQUEST_ID, returnable
from serving.api.protocol import ShortCuts
from serving.api.responses import Endpoint
from serving.api.routes import handler, over_http, unknown_application

if TYPE_CHECKING:
    from serving.service import Service


class Api(FastAPI):
    """FastAPI, with the schemas of the bodies that it does not read itself."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document = super().openapi()
        document.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
        return document


def create_app(service: Service) -> FastAPI:
    """The ASGI application of a service, which starts and stops with its lifespan.

    Its state has `short_cuts` for `serving.api.protocol`; under any other server all requests go through ASGI.
    """
    app = Api(title="Windjammer", lifespan=_lifespan(service), exception_handlers=_HANDLERS)
    app.add_middleware(RequestIds)
    _add_own_routes(app, service)
    app.include_router(admin(service))
    app.include_router(evaluation(service))
    return app


class RequestIds:
    """Returns the client's request id with every response, as the short cut does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its response back with the id."""
        given = [value for name, value in scope.get("headers", ()) if name == REQUEST_ID]
        identity = returnable(given[-1]) if given else None

        async def send_with_id(message: Message) -> None:
            if identity is not None and message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (REQUEST_ID, identity)]
            await send(message)

        await self.app(scope, receive, send_with_id)


def _lifespan(service: Service) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, ShortCuts]]:
        await service.start()
        try:
            yield {"short_cuts": _add_applications(app, service)}
        finally:
            await service.stop()

    return lifespan


def _add_applications(app: FastAPI, service: Service) -> ShortCuts:
    """Give every application its routes, and short cuts to the same endpoints."""
    server = service.config.server
    short_cuts: dict[bytes, Endpoint] = {}
    for name, application in service.applications.items():
        for verb, endpoint in endpoints(application, server.max_timeout).items():
            path = f"/{name}/{verb}"
            short_cuts[path.encode()] = endpoint
            answer = handler(endpoint, server.body_limit)
            about = documentation(verb, application.config.input)
            app.add_api_route(path, answer, methods=["POST"], tags=[name], name=path, **about)
    for verb in ("predict", "observe", "update"):
        app.add_route(f"/{{application}}/{verb}", unknown_application(service.applications), ["POST"])
    return ShortCuts(short_cuts, server.body_limit)


def _add_own_routes(app: FastAPI, service: Service) -> None:
    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return RedirectResponse("docs")

    @app.get("/metrics", tags=["server"], summary="Metrics for Prometheus")
    async def metrics(request: Request) -> Response:
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(service.registry), headers={"content-type": media_type})

    @app.get("/v2/health/live", tags=["server"], summary="Whether the server runs")
    async def live() -> Response:
        return JSONResponse({"live": True})

    @app.get("/v2/health/ready", tags=["server"], summary="Whether queries are admitted")
    async def ready() -> Response:
        return JSONResponse({"ready": service.ready}, 200 if service.ready else 503)


async def _ours(_request: Request, error: Exception) -> Response:
    return over_http(failed(error))


async def _unexpected(_request: Request, _error: Exception) -> Response:
    """A bug; Starlette raises it again behind this answer, and the server logs it."""
    return over_http(refusal(500, UNEXPECTED))


async def _framework(request: Request, error: Exception) -> Response:
    """Starlette's own: no such route, no such method."""
    assert isinstance(error, HTTPException)
    response = over_http(refusal(error.status_code, Failure(error.detail, f"{request.method} {request.url.path}")))
    response.headers.update(error.headers or {})
    return response


async def _parameters(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    cause = "; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors())
    return over_http(refusal(400, Failure("Bad request", cause)))


async def _gone(_request: Request, _error: Exception) -> Response:
    """The client has left in the middle of its body; nobody reads this."""
    return Response(status_code=400)


_HANDLERS: dict[Any, Any] = {
    WindjammerError: _ours,
    HTTPException: _framework,
    RequestValidationError: _parameters,
    ClientDisconnect: _gone,
    Exception: _unexpected,
}
