"""The endpoints as plain ASGI routes: for other servers, and for requests that cannot take the short cut."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request
from starlette.responses import Response as HttpResponse

from serving.api.errors import failed
from serving.api.responses import Endpoint, Response
from serving.errors import BodyTooLarge, UnknownApplication
from serving.settings import unknown

Handler = Callable[[Request], Awaitable[HttpResponse]]


def handler(endpoint: Endpoint, body_limit: int) -> Handler:
    """An ASGI handler that answers as the endpoint does. `body_limit` in bytes."""

    async def handle(request: Request) -> HttpResponse:
        body = await read_body(request, body_limit)
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def respond(response: Response) -> None:
            if not answer.done():
                answer.set_result(response)

        endpoint(body, respond)
        return over_http(await answer)

    return handle


def unknown_application(names: Mapping[str, object]) -> Handler:
    """What answers for applications that there are not."""

    async def handle(request: Request) -> HttpResponse:
        name = request.path_params["application"]
        return over_http(failed(UnknownApplication(unknown("application", name, names))))

    return handle


def over_http(response: Response) -> HttpResponse:
    """The response as Starlette has it."""
    headers = {name.decode(): value.decode() for name, value in response.headers}
    return HttpResponse(response.body, response.status, headers, "application/json")


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is known to be over the limit."""
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limit:
        raise BodyTooLarge(f"expected at most {limit} bytes, got {int(length)}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(f"expected at most {limit} bytes, got more")
    return bytes(body)
