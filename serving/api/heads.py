"""Status lines and headers of the answers that do not go through ASGI."""

from __future__ import annotations

from collections.abc import Sequence

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving.api.responses import Response

Headers = Sequence[tuple[bytes, bytes]]

REQUEST_ID = b"x-request-id"
REQUEST_ID_LIMIT = 256
"""Bytes of a request id that is returned; nobody needs a longer one."""


def returnable(request_id: bytes) -> bytes | None:
    """The client's id of a request, which its answer carries too, unless it is over the limit."""
    return request_id if len(request_id) <= REQUEST_ID_LIMIT else None


class Heads:
    """Encodes responses. uvicorn's default headers (date, server) change once a second, and are encoded as often."""

    def __init__(self) -> None:
        self._defaults: Headers = ()
        self._lines = b""
        self._ok = b""
        self.renew(())

    def renew(self, defaults: Headers) -> None:
        """From here on these are the headers of every response."""
        self._defaults = defaults
        self._lines = _lines((*defaults, (b"content-type", b"application/json")))
        self._ok = STATUS_LINE[200] + self._lines

    def encode(self, response: Response, request_id: bytes | None, *, close: bool, defaults: Headers) -> bytes:
        """The whole response. `defaults` are compared by identity."""
        if defaults is not self._defaults:
            self.renew(defaults)
        body = response.body
        start = self._ok if response.status == 200 else STATUS_LINE[response.status] + self._lines
        if request_id is not None or close or response.headers:
            start += _lines(response.headers)
            if request_id is not None:
                start += b"x-request-id: %b\r\n" % request_id
            if close:
                start += b"connection: close\r\n"
        return b"%bcontent-length: %d\r\n\r\n%b" % (start, len(body), body)


def _lines(headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])
