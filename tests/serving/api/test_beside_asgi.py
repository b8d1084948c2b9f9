"""The short cut and ASGI on one connection: answers in order, whatever takes which way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.serving.api.fakes import FakeApplication, settle
from tests.serving.api.wire import Wire, nothing, post

OTHER = post("/other", b"x")


class Gate:
    """An ASGI application that answers when it is let."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        await self.open.wait()
        await nothing(scope, receive, send)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 5))


def bodies(wire: Wire) -> list[bytes]:
    return [answer.body if answer.body.startswith(b"/") else b"cut" for answer in wire.answers()]


def test_everything_else_goes_to_asgi_whole() -> None:
    async def scenario() -> None:
        seen = []

        async def keep(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope)
            await nothing(scope, receive, send)

        wire = Wire(asgi=keep)
        wire.send(post("/other?a=1", b"xyz", "x-request-id: 7"))
        await settle()
        assert wire.answer().body == b"/other xyz"
        assert seen[0]["query_string"] == b"a=1"
        assert (b"x-request-id", b"7") in seen[0]["headers"]
        assert wire.application.requests == []

    run(scenario)


@pytest.mark.parametrize(
    "start",
    [
        b"GET /digits/predict HTTP/1.1\r\n",
        b"POST /digits/predict?version=1 HTTP/1.1\r\n",
        b"POST /digits/predict/ HTTP/1.1\r\n",
        b"POST http://here/digits/predict HTTP/1.1\r\n",
        b"POST /digits/%70redict HTTP/1.1\r\n",
        b"POST /digits/predict HTTP/1.1\r\nupgrade: h2c\r\nconnection: upgrade\r\n",
    ],
)
def test_only_the_exact_target_takes_the_short_cut(start: bytes) -> None:
    async def scenario() -> None:
        wire = Wire(ws="none")
        wire.send(start + b"\r\n")
        await settle()
        assert wire.answer().status == 200
        assert wire.application.requests == []

    run(scenario)


def test_a_root_path_changes_nothing_for_the_proxy_has_taken_it_off() -> None:
    async def scenario() -> None:
        wire = Wire(root_path="/api")
        wire.send(post() + post("/api/digits/predict", b"x"))
        await settle()
        assert bodies(wire) == [b"cut", b"/api/api/digits/predict x"]

    run(scenario)


def test_a_short_cut_behind_an_open_asgi_request_waits_as_an_asgi_request() -> None:
    async def scenario() -> None:
        gate = Gate()
        wire = Wire(asgi=gate)
        wire.send(OTHER + post())
        await settle()
        assert wire.transport.sent == b""
        gate.open.set()
        await settle()
        assert bodies(wire) == [b"/other x", b'/digits/predict {"input":[1,2]}']

    run(scenario)


def test_an_asgi_request_behind_open_short_cuts_waits_for_their_answers() -> None:
    async def scenario() -> None:
        gate = Gate()
        gate.open.set()
        wire = Wire(FakeApplication(hold=True), asgi=gate)
        wire.send(post() * 2 + OTHER)
        await settle()
        wire.application.release()
        await settle()
        assert gate.asked == []
        wire.application.release()
        await settle()
        assert bodies(wire) == [b"cut", b"cut", b"/other x"]

    run(scenario)


def test_ways_may_change_again_and_again() -> None:
    async def scenario() -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post() + OTHER + post() + OTHER + OTHER)
        await settle()
        assert wire.transport.sent == b""
        wire.application.release()
        await settle()
        predicted = b'/digits/predict {"input":[1,2]}'
        assert bodies(wire) == [b"cut", b"/other x", predicted, b"/other x", b"/other x"]
        wire.send(post())
        wire.application.release()
        assert bodies(wire)[-1] == b"cut"

    run(scenario)


def test_the_body_of_a_waiting_asgi_request_may_still_be_coming() -> None:
    async def scenario() -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post() + OTHER[:-1])
        assert not wire.transport.reading
        wire.application.release()
        await settle()
        assert wire.transport.reading
        wire.send(OTHER[-1:])
        await settle()
        assert bodies(wire) == [b"cut", b"/other x"]

    run(scenario)


def test_expecting_the_word_to_go_on_behind_an_open_request_waits_for_its_answer() -> None:
    async def scenario() -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post() + post("/digits/predict", b"x", "expect: 100-continue"))
        await settle()
        assert wire.transport.sent == b""
        wire.application.release()
        await settle()
        assert [answer.status for answer in wire.answers()] == [200, 100, 200]

    run(scenario)


def test_the_idle_time_of_one_way_does_not_end_a_request_of_the_other() -> None:
    async def scenario() -> None:
        gate = Gate()
        wire = Wire(asgi=gate)
        wire.send(post() + OTHER)
        await settle()
        wire.clock.advance(60)
        assert not wire.transport.closed
        gate.open.set()
        await settle()
        wire.application.hold = True
        wire.send(post())
        wire.clock.advance(60)
        assert not wire.transport.closed
        wire.application.release()
        wire.clock.advance(60)
        assert wire.transport.closed

    run(scenario)


def test_shutting_down_lets_both_kinds_be_answered() -> None:
    async def scenario() -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post() + OTHER)
        wire.protocol.shutdown()
        wire.application.release()
        assert not wire.transport.closed
        await settle()
        assert [answer.headers.get("connection") for answer in wire.answers()] == [None, "close"]
        assert wire.transport.closed

    run(scenario)


def test_an_asgi_request_that_comes_while_shutting_down_is_the_last() -> None:
    async def scenario() -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post())
        wire.protocol.shutdown()
        wire.send(OTHER)
        wire.application.release()
        await settle()
        assert bodies(wire) == [b"cut", b"/other x"]
        assert wire.transport.closed

    run(scenario)


def test_rubbish_behind_an_open_asgi_request_ends_the_connection() -> None:
    async def scenario() -> None:
        wire = Wire(asgi=Gate())
        wire.send(OTHER)
        await settle()
        wire.send(b"rubbish\r\n\r\n")
        assert wire.answer().status == 400
        assert wire.transport.closed
        wire.protocol.connection_lost(None)
        for task in wire.state.tasks:
            task.cancel()
        await settle()

    run(scenario)
