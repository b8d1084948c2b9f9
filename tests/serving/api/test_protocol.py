"""The short cut, one request after the other: bytes in, bytes out."""

from __future__ import annotations

import json

import pytest

from serving.api.protocol import PIPELINE_LIMIT
from tests.serving.api.fakes import FakeApplication
from tests.serving.api.wire import Transport, Wire, post

KEEP_ALIVE = 5.0


def test_a_query_is_answered_at_once_with_uvicorns_headers() -> None:
    wire = Wire()
    wire.send(post())
    body = wire.answer().body
    head = (
        "HTTP/1.1 200 OK\r\ndate: today\r\nserver: uvicorn\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    assert wire.transport.sent == head.encode() + body
    assert json.loads(body)["output"] == 1
    assert wire.state.total_requests == 1


def test_default_headers_are_renewed_when_uvicorn_renews_them() -> None:
    wire = Wire()
    wire.send(post())
    wire.state.default_headers = [(b"date", b"tomorrow")]
    wire.send(post())
    assert [answer.headers["date"] for answer in wire.answers()] == ["today", "tomorrow"]


def test_a_request_may_come_byte_by_byte() -> None:
    wire = Wire()
    for byte in post():
        wire.send(bytes([byte]))
    assert wire.answer().json()["output"] == 1


def test_a_body_may_come_in_chunks() -> None:
    wire = Wire()
    chunks = b"8\r\n" + b'{"input"' + b"\r\n7\r\n:[1,2]}\r\n0\r\n\r\n"
    wire.send(b"POST /digits/predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + chunks)
    assert wire.answer().json()["output"] == 1


def test_errors_have_their_status_and_say_when_to_come_back() -> None:
    wire = Wire()
    wire.send(post(body=b'{"input":[503,0]}'))
    answer = wire.answer()
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.json() == {"error": "Overloaded", "cause": "too much"}
    assert not wire.transport.closed


def test_the_request_id_comes_back() -> None:
    wire = Wire()
    wire.send(post("/digits/predict", b"{}", "X-Request-Id: abc-1"))
    wire.send(post())
    assert [answer.headers.get("x-request-id") for answer in wire.answers()] == ["abc-1", None]


def test_an_endless_request_id_does_not_come_back() -> None:
    wire = Wire()
    wire.send(post("/digits/predict", b"{}", f"x-request-id: {'a' * 1000}"))
    assert "x-request-id" not in wire.answer().headers


class TestKeepAlive:
    def test_an_idle_connection_is_closed(self) -> None:
        wire = Wire()
        wire.send(post())
        wire.clock.advance(KEEP_ALIVE - 0.1)
        assert not wire.transport.closed
        wire.clock.advance(0.1)
        assert wire.transport.closed

    def test_every_answer_starts_the_time_anew(self) -> None:
        wire = Wire()
        for _ in range(4):
            wire.send(post())
            wire.clock.advance(KEEP_ALIVE - 0.1)
        assert not wire.transport.closed
        wire.clock.advance(KEEP_ALIVE)
        assert wire.transport.closed

    def test_a_connection_with_an_open_request_is_not_idle(self) -> None:
        wire = Wire()
        wire.send(post())
        wire.application.hold = True
        wire.send(post())
        wire.clock.advance(10 * KEEP_ALIVE)
        assert not wire.transport.closed
        wire.application.release()
        assert len(wire.answers()) == 2
        wire.clock.advance(KEEP_ALIVE)
        assert wire.transport.closed

    def test_a_connection_in_the_middle_of_a_body_is_not_idle(self) -> None:
        wire = Wire()
        wire.send(post() + post()[:-1])
        wire.clock.advance(10 * KEEP_ALIVE)
        assert not wire.transport.closed

    def test_many_answers_need_one_timer(self) -> None:
        wire = Wire()
        for _ in range(100):
            wire.send(post())
        assert len(wire.clock.timers) == 1

    def test_a_lost_connection_leaves_no_timer(self) -> None:
        wire = Wire()
        wire.send(post())
        wire.protocol.connection_lost(None)
        assert all(timer.cancelled for timer in wire.clock.timers)


@pytest.mark.parametrize(
    "request_", [post("/digits/predict", b'{"input":[1,2]}', "Connection: close"), post(version="1.0")]
)
def test_the_connection_is_closed_when_the_client_wants_it(request_: bytes) -> None:
    wire = Wire()
    wire.send(request_)
    assert wire.answer().headers["connection"] == "close"
    assert wire.transport.closed


def test_http_1_0_is_closed_even_if_it_would_stay() -> None:
    wire = Wire()
    wire.send(post("/digits/predict", b'{"input":[1,2]}', "Connection: keep-alive", version="1.0"))
    assert wire.transport.closed


def test_nothing_is_done_for_requests_behind_the_last() -> None:
    wire = Wire(FakeApplication(hold=True))
    wire.send(post("/digits/predict", b'{"input":[1,2]}', "Connection: close") + post() + post("/other"))
    wire.send(post() + b"rubbish")
    wire.application.release()
    assert wire.answer().status == 200
    assert wire.transport.closed
    assert len(wire.application.requests) == 1


class TestExpect:
    def test_the_body_is_asked_for(self) -> None:
        wire = Wire()
        request = post("/digits/predict", b'{"input":[1,2]}', "Expect: 100-continue")
        head, body = request[:-15], request[-15:]
        wire.send(head)
        assert wire.transport.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(body)
        assert [answer.status for answer in wire.answers()] == [100, 200]

    def test_a_body_over_the_limit_is_not_asked_for(self) -> None:
        wire = Wire(body_limit=10)
        wire.send(post("/digits/predict", b"x" * 11, "Expect: 100-continue")[:-11])
        assert wire.answer().status == 413


class TestBodyLimit:
    def test_a_length_over_the_limit_is_refused_before_the_body(self) -> None:
        wire = Wire(body_limit=10)
        wire.send(post("/digits/predict", b"x" * 11, "x-request-id: 7")[:-11])
        answer = wire.answer()
        assert answer.json() == {"error": "Body too large", "cause": "expected at most 10 bytes, got 11"}
        assert (answer.status, answer.headers["connection"], answer.headers["x-request-id"]) == (413, "close", "7")

    def test_the_connection_stays_until_the_rest_has_come_lest_the_answer_be_lost(self) -> None:
        wire = Wire(body_limit=10)
        wire.send(post("/digits/predict", b"x" * 11)[:-3])
        assert not wire.transport.closed
        wire.send(b"xxx" + post())
        assert wire.transport.closed
        assert wire.answer().status == 413

    def test_but_not_for_ever(self) -> None:
        wire = Wire(body_limit=10)
        wire.send(post("/digits/predict", b"x" * 11)[:-3])
        wire.send(b"x")
        wire.clock.advance(KEEP_ALIVE)
        assert wire.transport.closed

    def test_chunks_are_counted(self) -> None:
        wire = Wire(body_limit=10)
        wire.send(b"POST /digits/predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
        wire.send(b"8\r\n12345678\r\n")
        assert wire.transport.sent == b""
        wire.send(b"8\r\n12345678\r\n")
        assert wire.answer().status == 413
        wire.send(b"8\r\n12345678\r\n0\r\n\r\n")
        assert wire.transport.closed
        assert wire.application.requests == []

    def test_a_body_at_the_limit_is_taken(self) -> None:
        wire = Wire(body_limit=15)
        wire.send(post())
        assert wire.answer().status == 200


class TestConcurrencyLimit:
    def test_open_requests_of_all_connections_are_counted(self) -> None:
        wire = Wire(FakeApplication(hold=True), limit_concurrency=4)
        other = Transport()
        another = wire.connect(other)
        another.data_received(post() * 4)
        wire.send(post("/digits/predict", b'{"input":[1,2]}'))
        answer = wire.answer()
        assert (answer.status, answer.json()["error"], answer.headers["retry-after"]) == (503, "Overloaded", "1")
        assert len(wire.application.requests) == 4

    def test_answered_requests_are_not(self) -> None:
        wire = Wire(limit_concurrency=2)
        for _ in range(5):
            wire.send(post())
        assert {answer.status for answer in wire.answers()} == {200}

    def test_connections_are_counted(self) -> None:
        wire = Wire(limit_concurrency=1)
        wire.send(post())
        assert wire.answer().status == 503


class TestPipelining:
    def test_answers_come_in_the_order_of_the_requests(self) -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(b"".join(post(body=b'{"input":[%d,0]}' % n) for n in range(3)))
        wire.application.release(2)
        wire.application.release(1)
        assert wire.transport.sent == b""
        wire.application.release(0)
        assert [answer.json()["output"] for answer in wire.answers()] == [0, 1, 2]

    def test_answers_that_are_due_do_not_wait_for_later_ones(self) -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post() * 3)
        wire.application.release(1)
        wire.application.release(0)
        assert len(wire.answers()) == 2

    def test_an_answer_that_needs_no_waiting_waits_for_its_turn(self) -> None:
        wire = Wire(FakeApplication(hold=True), body_limit=100)
        wire.send(post() + post(body=b"not json") + post(body=b"x" * 101))
        assert wire.transport.sent == b""
        wire.application.release()
        assert [answer.status for answer in wire.answers()] == [200, 400, 413]
        assert wire.transport.closed

    def test_a_client_that_sends_ahead_too_far_is_not_read(self) -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post() * (PIPELINE_LIMIT - 1))
        assert wire.transport.reading
        wire.send(post())
        assert not wire.transport.reading
        wire.application.release()
        assert wire.transport.reading

    def test_a_client_that_does_not_read_is_not_read(self) -> None:
        wire = Wire()
        wire.protocol.pause_writing()
        wire.send(post())
        assert not wire.transport.reading
        wire.protocol.resume_writing()
        assert wire.transport.reading


class TestMalformed:
    def test_what_is_not_http_is_refused(self) -> None:
        wire = Wire()
        wire.send(b"rubbish\r\n\r\n")
        assert (wire.answer().status, wire.answer().json()["error"]) == (400, "Bad request")
        assert wire.transport.closed

    def test_requests_before_it_are_answered_first(self) -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post() + b"rubbish\r\n\r\n")
        wire.send(b"more")
        assert not wire.transport.closed
        wire.application.release()
        assert [answer.status for answer in wire.answers()] == [200, 400]
        assert wire.transport.closed

    def test_requests_before_it_are_answered_first_if_one_waits_for_asgi_too(self) -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post() + post("/other", b"") + b"nonsense\r\n\r\n")
        assert wire.transport.sent == b""
        wire.application.release()
        assert [answer.status for answer in wire.answers()] == [200, 400]
        assert wire.transport.closed

    def test_a_broken_body_is_refused(self) -> None:
        wire = Wire()
        wire.send(b"POST /digits/predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
        assert wire.answer().status == 400
        assert wire.transport.closed
        assert wire.application.requests == []

    def test_a_broken_rest_of_a_refused_body_ends_the_connection(self) -> None:
        wire = Wire(body_limit=3)
        wire.send(b"POST /digits/predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\nzz\r\n")
        assert wire.answer().status == 413
        assert wire.transport.closed


class TestLostConnections:
    def test_an_answer_to_nobody_is_dropped(self) -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post() * 2)
        wire.transport.close()
        wire.protocol.connection_lost(None)
        wire.application.release()
        wire.application.release()
        assert wire.transport.sent == b""

    def test_but_the_server_waits_for_it(self) -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post())
        wire.transport.close()
        wire.protocol.connection_lost(None)
        assert len(wire.state.tasks) == 1
        wire.application.release()
        assert not wire.state.tasks

    def test_a_second_answer_is_ignored(self) -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post())
        again = wire.application.held[0]
        wire.application.release()
        again()
        assert wire.answer().status == 200


class TestShutdown:
    def test_an_idle_connection_is_closed(self) -> None:
        wire = Wire()
        wire.send(post())
        wire.protocol.shutdown()
        assert wire.transport.closed

    def test_open_requests_are_answered_and_the_last_one_closes(self) -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post() * 2)
        wire.protocol.shutdown()
        assert not wire.transport.closed
        wire.application.release()
        wire.application.release()
        assert [answer.headers.get("connection") for answer in wire.answers()] == [None, "close"]
        assert wire.transport.closed

    def test_a_request_that_is_still_coming_is_answered(self) -> None:
        wire = Wire()
        wire.send(post()[:-4])
        wire.protocol.shutdown()
        wire.send(post()[-4:])
        assert (wire.answer().status, wire.answer().headers["connection"]) == (200, "close")
        assert wire.transport.closed

    def test_one_more_request_is_answered_and_it_is_the_last(self) -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post())
        wire.protocol.shutdown()
        wire.send(post() * 2)
        for _ in range(2):
            wire.application.release()
        assert [answer.headers.get("connection") for answer in wire.answers()] == [None, "close"]
        assert len(wire.application.requests) == 2

    def test_when_time_is_over_open_requests_hear_of_it(self) -> None:
        wire = Wire(FakeApplication(hold=True))
        wire.send(post())
        wire.protocol.shutdown()
        for task in list(wire.state.tasks):
            task.cancel(msg="time is over")
        assert (wire.answer().status, wire.answer().json()["error"]) == (503, "Shutting down")
        assert wire.transport.closed
        assert not wire.state.tasks
