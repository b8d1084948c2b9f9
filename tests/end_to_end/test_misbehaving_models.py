"""A model that raises, hangs, dies, or returns nonsense: there is an answer or a clear error, and the rest goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.benchmarks.load import Response, post_all
from tests.benchmarks.noop import POISON
from tests.benchmarks.server import Server, until

REASONS = {
    "raise": "ValueError: this input is poison",
    "hang": "did not answer for",
    "exit": "exited with code 3",
    "few": "returned 0 rows for 1 inputs",
    "nan": "nan is not a finite number",
    "type": "expected a label or a number, found bytes",
}
"""What each model does, and how it is told."""

WORKER = "serving.workers.process"

CONFIG = """
[models.good]
runtime = "python"
artifact = "noop:Sum"

[models.slow]
runtime = "python"
artifact = "noop:Sum"
options = { seconds = 0.5 }

[applications.slow]
models = ["good", "slow"]
input = { datatype = "FP64", shape = [2] }
policy = "exp4"
slo_ms = 100

[applications.slow-alone]
models = ["slow"]
input = { datatype = "FP64", shape = [2] }
policy = "exp3"
slo_ms = 100
""" + "".join(
    f"""
[models.{how}-model]
runtime = "python"
artifact = "noop:Misbehaving"
options = {{ how = "{how}" }}
hang_timeout_ms = 400

[applications.{how}]
models = ["good", "{how}-model"]
input = {{ datatype = "FP64", shape = [2] }}
policy = "exp4"
slo_ms = 1500

[applications.{how}-alone]
models = ["{how}-model"]
input = {{ datatype = "FP64", shape = [2] }}
policy = "exp3"
slo_ms = 9000
"""
    for how in REASONS
)

EVERY_MISDEED = pytest.mark.parametrize("how", REASONS)


def post(server: Server, path: str, *contents: object) -> list[Response]:
    """All at once."""
    return asyncio.run(post_all(server.port, path, contents))


@EVERY_MISDEED
def test_a_sibling_answers_in_its_place(server: Server, how: str) -> None:
    (response,) = post(server, f"/{how}/predict", {"input": [POISON, 1]})
    answer = response.json()
    assert (response.status, answer["output"], answer["default"]) == (200, POISON + 1, False)
    assert answer["models"] == {"good:1": POISON + 1}
    assert answer["confidence"] < 1


@EVERY_MISDEED
def test_without_a_sibling_error_and_log_say_which_model_and_why(server: Server, how: str) -> None:
    _until_it_answers(server, how)
    (response,) = post(server, f"/{how}-alone/predict", {"input": [POISON, 1]})
    error = response.json()
    assert (response.status, error["error"]) == (502, "Model failed")
    assert f"{how}-model:1" in error["cause"]
    assert REASONS[how] in error["cause"] or (how == "exit" and error["cause"].endswith(" ended"))
    until(lambda: _is_told(server, f"{how}-model:1", REASONS[how]), 5, f"the log tells of {how}", server)


@EVERY_MISDEED
def test_then_the_same_model_answers_again(server: Server, how: str) -> None:
    _until_it_answers(server, how)
    until(lambda: len(server.processes(WORKER)) == CONFIG.count("[models."), 5, "all workers are there", server)


def test_at_the_deadline_nobody_waits_for_a_slow_model(server: Server) -> None:
    (response,) = post(server, "/slow/predict", {"input": [1, 2]})
    assert (response.status, response.json()["models"]) == (200, {"good:1": 3.0})
    (response,) = post(server, "/slow-alone/predict", {"input": [1, 2]})
    assert response.status == 504
    assert response.json() == {"error": "Deadline exceeded", "cause": "No prediction arrived within 100 ms"}


@pytest.mark.parametrize("how", ["raise", "few", "nan", "type"])
def test_one_bad_input_of_many_fails_alone(server: Server, how: str) -> None:
    inputs = [[POISON if row == 11 else row, 1] for row in range(24)]
    (response,) = post(server, f"/{how}-alone/predict", {"input_batch": inputs})
    answers: list[dict[str, Any]] = response.json()["batch_predictions"]
    assert response.status == 200
    assert [row for row, answer in enumerate(answers) if "error" in answer] == [11]
    assert answers[11]["error"] == "Model failed"
    assert f"{how}-model:1" in answers[11]["cause"]
    assert [answer["output"] for row, answer in enumerate(answers) if row != 11] == [
        sum(values) for row, values in enumerate(inputs) if row != 11
    ]


def _until_it_answers(server: Server, how: str) -> None:
    def answered() -> bool:
        (response,) = post(server, f"/{how}-alone/predict", {"input": [1, 2]})
        return response.status == 200 and response.json()["output"] == 3

    until(answered, 20, f"the model answers in spite of {how}", server)


def _is_told(server: Server, model: str, reason: str) -> bool:
    """In one line, or in the traceback that follows it."""
    lines = server.log.read_text().splitlines()
    return any(model in line and reason in "\n".join(lines[at : at + 30]) for at, line in enumerate(lines))
