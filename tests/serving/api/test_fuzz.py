"""Any bytes at all: every request is answered or the connection ends; nothing hangs, nothing is a 500."""

from __future__ import annotations

import asyncio
import json
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serving.api.fakes import FakeApplication, settle
from tests.serving.api.wire import Wire, post

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["input", "user", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = [
    "input",
    "input_batch",
    "user",
    "context",
    "timeout_ms",
    "query_id",
    "query_ids",
    "label",
    "reward",
    "observations",
]


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


BODIES = st.one_of(
    st.just(b'{"input":[1,2]}'),
    st.binary(max_size=30),
    st.dictionaries(st.sampled_from(FIELDS), JSON | st.just([1, 2]), max_size=4).map(encoded),
    JSON.map(encoded),
    st.just(b"x" * 200),
)
TARGETS = st.sampled_from(["/digits/predict", "/digits/observe", "/digits/update", "/other", "/digits/predict?a"])
HEADERS = st.lists(
    st.sampled_from(
        ["connection: close", "connection: keep-alive", "expect: 100-continue", "x-request-id: \x80\xff", "upgrade: x"]
    ),
    max_size=2,
)
REQUESTS = st.builds(
    lambda target, body, headers, version: post(target, body, *headers, version=version),
    TARGETS,
    BODIES,
    HEADERS,
    st.sampled_from(["1.1", "1.1", "1.0"]),
)
PIECES = st.one_of(
    REQUESTS,
    REQUESTS,
    REQUESTS.flatmap(lambda whole: st.integers(0, len(whole)).map(lambda end: whole[:end])),
    st.binary(max_size=40),
    st.just(b"POST /digits/predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
)


@given(st.lists(PIECES, min_size=1, max_size=5), st.booleans(), st.integers(1, 200), st.booleans())
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_answered_or_ends_the_connection(
    pieces: list[bytes], hold: bool, step: int, shut_down: bool
) -> None:
    async def scenario() -> list[int]:
        wire = Wire(FakeApplication(hold=hold), body_limit=100, ws="none")
        data = b"".join(pieces)
        for start in range(0, len(data), step):
            wire.send(data[start : start + step])
        if shut_down and not wire.transport.closed:
            wire.protocol.shutdown()
        while wire.application.held:
            wire.application.release(-1)
        await settle()
        assert list(wire.protocol.exchanges) in ([], [wire.protocol.receiving])
        statuses = [answer.status for answer in wire.answers()]
        wire.protocol.connection_lost(None)
        for task in list(wire.state.tasks):
            task.cancel(msg="over")
        await settle()
        assert not wire.state.tasks
        return statuses

    assert set(asyncio.run(scenario())) <= {100, 200, 400, 404, 409, 413, 503}


@given(st.lists(BODIES, min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_pipelined_queries_are_all_answered_in_order(bodies: list[bytes], rng: Random) -> None:
    wire = Wire(FakeApplication(hold=True), body_limit=150)
    short = [body for body in bodies if len(body) <= 150]
    for number, body in enumerate(short):
        wire.send(post("/digits/predict", body, f"x-request-id: {number}"))
    while held := wire.application.held:
        wire.application.release(rng.randrange(len(held)))
    ids = [answer.headers["x-request-id"] for answer in wire.answers()] if short else []
    assert ids == [str(number) for number in range(len(short))]
