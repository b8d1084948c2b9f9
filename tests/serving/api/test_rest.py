"""The REST interface, once by the short cut and once through ASGI."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from serving.inputs import InputSpec
from serving.values import Input, ObserveRequest, PredictRequest, UpdateRequest
from tests.serving.api.conftest import BODY_LIMIT, Server, error, serving
from tests.serving.api.fakes import FakeApplication

INPUT = Input("FP32", (2,), struct.pack("<2f", 1, 2))


class TestPredict:
    def test_an_input_gets_an_answer(self, server: Server) -> None:
        response = server.post("/digits/predict", {"input": [1, 2]})
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert "date" in response.headers
        assert response.json() == {
            "query_id": "1",
            "output": 1.0,
            "default": False,
            "confidence": 0.5,
            "sure": None,
            "models": {"cnn:2": 1.0, "svm:1": 1.0},
            "policy": "exp3",
        }
        assert server.application.requests == [PredictRequest(INPUT)]

    def test_it_goes_the_way_that_is_tested(self, server: Server) -> None:
        paths = [f"/digits/{verb}" for verb in ("predict", "observe", "update")]
        for path in paths:
            server.post(path, {})
        assert server.through_asgi == ([] if server.way == "short cut" else paths)

    def test_user_context_timeout_and_id_are_passed_on(self, server: Server) -> None:
        fields = {"user": "ann", "context": {"age": 7, "city": "Ulm", "x": 0.5}, "timeout_ms": 250, "query_id": "mine"}
        assert server.post("/digits/predict", {"input": [1, 2]} | fields).json()["query_id"] == "mine"
        expected = PredictRequest(INPUT, "ann", {"age": 7, "city": "Ulm", "x": 0.5}, 0.25, "mine")
        assert server.application.requests == [expected]

    def test_a_timeout_is_capped(self, server: Server) -> None:
        server.post("/digits/predict", {"input": [1, 2], "timeout_ms": 1e9})
        assert server.application.requests[0].timeout == 2.0

    def test_null_is_nothing_and_clippers_version_is_ignored(self, server: Server) -> None:
        fields = {"user": None, "timeout_ms": None, "query_id": None, "version": "3"}
        server.post("/digits/predict", {"input": [1, 2]} | fields)
        assert server.application.requests == [PredictRequest(INPUT)]

    @pytest.mark.parametrize(
        ("body", "cause"),
        [
            (b"", "truncated"),
            (b"{", "truncated"),
            (b"input", "malformed"),
            (b'{"input":[1,NaN]}', "malformed"),
            (b'{"input":[1,2]} x', "malformed"),
            (b"[1,2]", "Expected `object`, got `array`"),
            (b"{}", "expected `input` or `input_batch`"),
            (b'{"inptu":[1,2]}', "unknown field 'inptu'; did you mean 'input'?"),
            (b'{"input":[1,2],"input_batch":[]}', "`input_batch` takes neither `input` nor `query_id`"),
            (b'{"input_batch":[],"query_id":"a"}', "`input_batch` takes neither `input` nor `query_id`"),
            (b'{"input":[1,2],"user":""}', "length >= 1"),
            (b'{"input":[1,2],"user":7}', "Expected `str | null`, got `int`"),
            (b'{"input":[1,2],"user":"a\\u0000"}', "matching regex"),
            (b'{"input":[1,2],"user":"\xff"}', "Invalid UTF-8"),
            (b'{"input":[1,2],"context":{"a":[1]}}', "$.context"),
            (b'{"input":[1,2],"context":{"a":18446744073709551616}}', "$.context"),
            (b'{"input":[1,2],"timeout_ms":0}', "> 0"),
            (b'{"input":[1,2],"timeout_ms":"9"}', "Expected `float | null`, got `str`"),
            (b'{"input":[1,2],"query_id":"17"}', "an id of your own must not be a number"),
            (b'{"input":[1,2],"query_id":17}', "Expected `str | null`, got `int`"),
            (b'{"input":[1,2],"query_id":""}', "length >= 1"),
            (b'{"input":[1,2],"query_id":"%b"}' % (b"x" * 129), "length <= 128"),
            (b'{"input_batch":7}', "Expected `array`, got `int`"),
            (b'{"input_batch":[%b0]}' % (b"0," * 4096), "length <= 4096"),
            (b"[" * 90_000, ""),
            (b'{"input":' + b"[" * 90_000, ""),
        ],
    )
    def test_a_body_that_is_not_what_it_takes(self, server: Server, body: bytes, cause: str) -> None:
        status, phrase, told = error(server.post("/digits/predict", body))
        assert (status, phrase) == (400, "Bad request")
        assert cause in told
        assert server.application.requests == []

    @pytest.mark.parametrize(
        ("given", "cause"),
        [
            ([1], "expected FP32 [2], got 1 values"),
            ([1, "2"], "expected FP32 [2]: Expected `float`, got `str` - at `$[1]`"),
            ([1, True], "got `bool`"),
            (None, "got `null`"),
            ([1, 1e39], "got 1e+39 at [1]"),
        ],
    )
    def test_an_input_that_is_not_the_applications(self, server: Server, given: object, cause: str) -> None:
        status, phrase, told = error(server.post("/digits/predict", {"input": given}))
        assert (status, phrase) == (400, "Invalid input")
        assert cause in told
        assert server.application.requests == []

    @pytest.mark.parametrize(
        ("first", "expected"),
        [
            (504, (504, "Deadline exceeded", "too late")),
            (503, (503, "Overloaded", "too much")),
            (500, (500, "Internal error", "Something went wrong in the server; its log says what")),
        ],
    )
    def test_what_goes_wrong_has_its_status(self, server: Server, first: int, expected: object) -> None:
        response = server.post("/digits/predict", {"input": [first, 0]})
        assert error(response) == expected
        assert response.headers.get("retry-after") == ("1" if first == 503 else None)


class TestBatch:
    def test_every_row_gets_an_answer_in_order(self, server: Server) -> None:
        rows = server.post("/digits/predict", {"input_batch": [[5, 0], [6, 0]], "user": "ann"}).json()
        assert [row["output"] for row in rows["batch_predictions"]] == [5, 6]
        assert {request.user for request in server.application.requests} == {"ann"}

    def test_a_bad_row_does_not_spoil_the_others(self, server: Server) -> None:
        response = server.post("/digits/predict", {"input_batch": [[5, 0], [1], [503, 0], [6, 0]]})
        assert response.status_code == 200
        good, wrong, busy, last = response.json()["batch_predictions"]
        assert (good["output"], last["output"]) == (5, 6)
        assert wrong == {"error": "Invalid input", "cause": "expected FP32 [2], got 1 values"}
        assert busy == {"error": "Overloaded", "cause": "too much"}

    def test_no_rows_get_no_answers(self, server: Server) -> None:
        assert server.post("/digits/predict", {"input_batch": []}).json() == {"batch_predictions": []}


class TestObserve:
    def test_a_label_is_applied_once(self, server: Server) -> None:
        query = server.post("/digits/predict", {"input": [1, 2]}).json()["query_id"]
        said = [server.post("/digits/observe", {"query_id": query, "label": 3}).json() for _ in range(2)]
        assert said == [{"status": "applied"}, {"status": "duplicate"}]
        status, phrase, _ = error(server.post("/digits/observe", {"query_id": query, "label": 4}))
        assert (status, phrase) == (409, "Conflict")

    @pytest.mark.parametrize(
        ("body", "request_"),
        [
            ({"query_id": "12", "label": "cat"}, ObserveRequest((12,), "cat")),
            ({"query_id": 12, "label": True}, ObserveRequest((12,), True)),
            ({"query_id": "mine", "label": 2.5}, ObserveRequest(("mine",), 2.5)),
            ({"query_id": "٣", "reward": 0}, ObserveRequest(("٣",), None, 0.0)),
            ({"query_ids": ["1", 2, "x"], "reward": 1}, ObserveRequest((1, 2, "x"), None, 1.0)),
            ({"input": [1, 2], "label": 0}, UpdateRequest(INPUT, 0)),
            (
                {"input": [1, 2], "label": 0, "user": "ann", "context": {"a": 1}, "query_id": "mine"},
                UpdateRequest(INPUT, 0, "ann", {"a": 1}, "mine"),
            ),
        ],
    )
    def test_feedback_is_understood(self, server: Server, body: object, request_: object) -> None:
        server.post("/digits/observe", body)
        assert server.application.requests == [request_]

    def test_an_unknown_query_is_not_found(self, server: Server) -> None:
        assert error(server.post("/digits/observe", {"query_id": "9", "label": 1}))[:2] == (404, "Unknown query")

    @pytest.mark.parametrize(
        ("body", "cause"),
        [
            ({}, "one of `label` and `reward`"),
            ({"query_id": 1}, "one of `label` and `reward`"),
            ({"query_id": 1, "label": None}, "one of `label` and `reward`"),
            ({"query_id": 1, "label": 1, "reward": 1}, "one of `label` and `reward`"),
            ({"query_id": 1, "reward": 1.5}, "<= 1.0 - at `$.reward`"),
            ({"query_id": 1, "reward": -0.1}, ">= 0.0 - at `$.reward`"),
            ({"query_id": 1, "reward": True}, "got `bool` - at `$.reward`"),
            ({"query_id": 1, "label": [1]}, "got `array` - at `$.label`"),
            ({"query_id": 1, "label": 2**64}, "$.label"),
            ({"query_id": -1, "label": 1}, ">= 0"),
            ({"query_id": 2**63, "label": 1}, "$.query_id"),
            ({"query_id": str(2**63), "label": 1}, "no query_id of ours is as large"),
            ({"query_id": 1.0, "label": 1}, "got `float` - at `$.query_id`"),
            ({"label": 1}, "expected `query_id`"),
            ({"query_ids": [], "reward": 1}, "length >= 1"),
            ({"query_ids": [1, "1"], "reward": 1}, "holds one twice"),
            ({"query_ids": [1], "label": 1}, "`query_ids` take one `reward`"),
            ({"query_ids": [1], "query_id": 1, "reward": 1}, "`query_ids` take one `reward`"),
            ({"query_id": 1, "label": 1, "user": "ann"}, "`user` and `context` belong to an `input`"),
            ({"input": [1, 2]}, "an `input` needs its `label`"),
            ({"input": [1, 2], "reward": 1}, "an `input` needs its `label`"),
            ({"input": [1, 2], "label": 1, "query_id": 7}, "the client's own"),
            ({"input": [1, 2], "label": 1, "query_id": "7"}, "must not be a number"),
            ({"observations": [], "label": 1}, "`observations` cannot stand beside other fields"),
            ({"query_id": 1, "lable": 1}, "did you mean 'label'?"),
        ],
    )
    def test_feedback_that_is_not_understood(self, server: Server, body: object, cause: str) -> None:
        status, phrase, told = error(server.post("/digits/observe", body))
        assert (status, phrase) == (400, "Bad request")
        assert cause in told
        assert server.application.requests == []

    def test_a_list_of_observations_gets_a_list_of_answers(self, server: Server) -> None:
        server.post("/digits/predict", {"input_batch": [[1, 2], [3, 4]]})
        observations = [
            {"query_id": 1, "label": 1},
            {"query_id": 99, "label": 1},
            {"query_id": 2, "reward": 7},
            {"input": [1], "label": 1},
            {"input": [1, 2], "label": 1},
            {"observations": []},
            7,
        ]
        told = server.post("/digits/observe", {"observations": observations}).json()
        statuses = [row.get("status") or row["error"] for row in told]
        assert statuses == [
            "applied",
            "Unknown query",
            "Bad request",
            "Invalid input",
            "applied",
            "Bad request",
            "Bad request",
        ]

    def test_no_observations_get_no_answers(self, server: Server) -> None:
        assert server.post("/digits/observe", {"observations": []}).json() == []


class TestUpdate:
    @pytest.mark.parametrize(("uid", "user"), [(7, "7"), ("ann", "ann")])
    def test_clippers_clients_are_understood(self, server: Server, uid: object, user: str) -> None:
        response = server.post("/digits/update", {"uid": uid, "input": [1, 2], "label": 3.0})
        assert response.json() == {"status": "applied", "query_id": "77"}
        assert server.application.requests == [UpdateRequest(INPUT, 3.0, user)]

    @pytest.mark.parametrize("missing", ["uid", "input", "label"])
    def test_all_three_fields_are_needed(self, server: Server, missing: str) -> None:
        body = {"uid": 7, "input": [1, 2], "label": 3.0}
        del body[missing]
        status, _, cause = error(server.post("/digits/update", body))
        assert status == 400
        assert f"missing required field `{missing}`" in cause


class TestRoutes:
    @pytest.mark.parametrize("verb", ["predict", "observe", "update"])
    def test_an_unknown_application_is_named(self, server: Server, verb: str) -> None:
        told = error(server.post(f"/digit/{verb}", {}))
        assert told == (
            404,
            "Unknown application",
            "unknown application 'digit'; did you mean 'digits'? Valid: 'digits'",
        )

    @pytest.mark.parametrize("path", ["/digits", "/digits/predicts", "/digits/predict/x", "/none"])
    def test_an_unknown_path_is_not_found(self, server: Server, path: str) -> None:
        assert error(server.post(path, {})) == (404, "Not Found", f"POST {path}")

    def test_another_method_is_not_allowed(self, server: Server) -> None:
        response = server.client.get("/digits/predict")
        assert error(response) == (405, "Method Not Allowed", "GET /digits/predict")
        assert response.headers["allow"] == "POST"

    @pytest.mark.parametrize("path", ["/digits/predict", "/none", "/v2/health/live", "/digits/predict?x=1"])
    def test_the_request_id_comes_back(self, server: Server, path: str) -> None:
        response = server.post(path, {"input": [1, 2]}, headers={"x-request-id": "abc"})
        assert response.headers["x-request-id"] == "abc"

    def test_a_query_string_makes_no_difference(self, server: Server) -> None:
        assert server.post("/digits/predict?x=1", {"input": [1, 2]}).json()["output"] == 1

    def test_a_body_over_the_limit_is_refused(self, server: Server) -> None:
        told = error(server.post("/digits/predict", b"x" * (BODY_LIMIT + 1)))
        assert told == (413, "Body too large", f"expected at most {BODY_LIMIT} bytes, got {BODY_LIMIT + 1}")

    def test_a_body_in_chunks_over_the_limit_is_refused(self, server: Server) -> None:
        def chunks() -> Iterator[bytes]:
            for _ in range(BODY_LIMIT // 1000 + 1):
                yield b"x" * 1000

        response = server.client.post("/digits/predict", content=chunks())
        assert error(response) == (413, "Body too large", f"expected at most {BODY_LIMIT} bytes, got more")


@pytest.mark.parametrize("way", ["short cut", "asgi"])
class TestOtherInputs:
    def test_text(self, way: str) -> None:
        with serving(FakeApplication(InputSpec("BYTES")), way) as server:
            assert server.post("/digits/predict", {"input": "naïve"}).json()["output"] == "naïve"

    def test_json(self, way: str) -> None:
        with serving(FakeApplication(InputSpec("JSON")), way) as server:
            assert (
                server.post("/digits/predict", {"input": {"b": 1, "a": [None]}}).json()["output"]
                == "{'a': [None], 'b': 1}"
            )
            assert server.post("/digits/predict", {"input": None}).json()["output"] == "None"

    def test_a_long_input_beside_other_fields(self, way: str) -> None:
        with serving(FakeApplication(InputSpec("FP32", (784,))), way) as server:
            body = {"user": "a [b] c", "input": [7.5] + [0.1] * 783, "context": {"a": 1}}
            assert server.post("/digits/predict", body).json()["output"] == 7.5
            plain = body | {"user": "ann"}
            assert server.post("/digits/predict", plain).json()["output"] == 7.5
            assert [request.user for request in server.application.requests] == ["a [b] c", "ann"]
