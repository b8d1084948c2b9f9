"""The one table from exceptions to responses: each class of error carries its status and its phrase."""

from __future__ import annotations

import logging

from msgspec import Struct, json

from selector.errors import WindjammerError
from serving.api.responses import Response

logger = logging.getLogger(__name__)

RETRY_AFTER = ((b"retry-after", b"1"),)
"""Seconds: queues are short, and a restarted worker is back about then."""


class Failure(Struct, frozen=True, gc=False):
    """An error on the wire: a short name, and what happened."""

    error: str
    cause: str


UNEXPECTED = Failure(WindjammerError.phrase, "Something went wrong in the server; its log says what")


def failure(error: Exception) -> Failure:
    """What the client is told. Anything that is not ours is logged with its traceback, and told to nobody."""
    if isinstance(error, WindjammerError):
        return Failure(error.phrase, str(error) or error.phrase)
    logger.error("unexpected error", exc_info=error)
    return UNEXPECTED


def failed(error: Exception) -> Response:
    """The response to a request that met `error`."""
    status = error.status if isinstance(error, WindjammerError) else WindjammerError.status
    return refusal(status, failure(error))


def refusal(status: int, told: Failure) -> Response:
    """An error response; those that may be repeated after a while say so."""
    return Response(status, json.encode(told), RETRY_AFTER if status in (429, 503) else ())
