from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from msgspec import msgpack

from selector.decisions import Label, Prediction
from serving.values import Input
from serving.workers import frames
from serving.workers.frames import Ask, BatchFailed, Decoder, Header, Labels, Rows
from serving.workers.inference import Inference, explain


class Runtime:
    def __init__(self, predict: Callable[[Any], Any], classes: Sequence[Label] | None = None) -> None:
        self.predict_batch = predict
        self.classes = classes


def answered(predict: Callable[[Any], Any], inputs: Sequence[Input], classes: Sequence[Label] | None = None) -> Header:
    ((ask, body),) = Decoder().feed(frames.ask(5, inputs))
    assert isinstance(ask, Ask)
    ((header, _),) = Decoder().feed(Inference("toy:1", Runtime(predict, classes)).answer(ask, body))
    return header


def numbers(*rows: list[float]) -> list[Input]:
    return [Input("FP32", (len(row),), np.array(row, "<f4").tobytes()) for row in rows]


def test_numbers_come_as_an_array_that_the_model_may_change() -> None:
    def predict(inputs: np.ndarray[Any, Any]) -> Any:
        assert inputs.shape == (2, 3)
        assert inputs.dtype == np.float32
        inputs += 1
        return inputs.sum(axis=1)

    assert answered(predict, numbers([1, 2, 3], [4, 5, 6])) == Labels(5, [9.0, 18.0])


def test_inputs_keep_their_shape() -> None:
    inputs = [Input("INT16", (2, 2), bytes(8)), Input("INT16", (2, 2), bytes(8))]
    assert answered(lambda rows: [str(rows.shape), str(rows.dtype)], inputs) == Labels(5, ["(2, 2, 2)", "int16"])


def test_an_empty_input_is_an_input() -> None:
    assert answered(lambda rows: [len(row) for row in rows], [Input("FP64", (0,), b"")] * 2) == Labels(5, [0, 0])


def test_bytes_come_as_a_list_of_bytes() -> None:
    inputs = [Input("BYTES", (), text) for text in (b"a", b"", b"bcd")]
    assert answered(lambda rows: [repr(row) for row in rows], inputs) == Labels(5, ["b'a'", "b''", "b'bcd'"])


def test_json_comes_as_a_list_of_values() -> None:
    inputs = [Input("JSON", (), msgpack.encode(value)) for value in ({"a": [1, None]}, "text")]
    assert answered(lambda rows: [repr(row) for row in rows], inputs) == Labels(5, ["{'a': [1, None]}", "'text'"])


def test_vectors_become_predictions_of_the_models_classes() -> None:
    header = answered(lambda rows: np.array([[0.25, 0.75]] * len(rows)), numbers([1]), ["no", "yes"])
    assert header == Rows(5, [Prediction("yes", 0.75, (("no", 0.25), ("yes", 0.75)))])


def test_a_bad_row_is_an_error_of_that_row_only() -> None:
    header = answered(lambda _: [1, float("nan"), {"output": 2}, None], numbers([1], [2], [3], [4]))
    assert isinstance(header, Rows)
    assert header.rows == [Prediction(1), None, Prediction(2), None]
    assert header.errors.keys() == {1, 3}


@pytest.mark.parametrize("label", [2**64, "\ud800"])
def test_a_label_that_no_wire_carries_is_an_error_of_its_row_only(label: Label) -> None:
    header = answered(lambda _: [1, label], numbers([1], [2]))
    assert isinstance(header, Rows)
    assert header.rows == [Prediction(1), None]


@pytest.mark.parametrize(
    ("returned", "why"),
    [
        ([1], "ValueError: returned 1 rows for 2 inputs"),
        ([1, 2, 3], "ValueError: returned 3 rows for 2 inputs"),
        (None, "TypeError: predict_batch returned NoneType, not a sequence of rows"),
        (7, "TypeError: predict_batch returned int, not a sequence of rows"),
        ("ab", "TypeError: predict_batch returned str, not a sequence of rows"),
        ({"output": 1, "score": 1}, "TypeError: predict_batch returned dict, not a sequence of rows"),
    ],
)
def test_rows_that_cannot_be_told_apart_fail_the_batch(returned: Any, why: str) -> None:
    assert answered(lambda _: returned, numbers([1], [2])) == BatchFailed(5, 2, why)


def test_an_exception_fails_the_batch_and_the_log_has_the_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def predict(rows: object) -> object:
        raise LookupError("not today")

    with caplog.at_level(logging.ERROR):
        assert answered(predict, numbers([1])) == BatchFailed(5, 1, "LookupError: not today")
    assert "toy:1 failed on a batch of 1" in caplog.text
    assert "Traceback" in caplog.text


def test_a_reason_that_no_wire_carries_travels_all_the_same() -> None:
    assert explain(LookupError("not today \ud800")) == "LookupError: not today ?"


def test_a_body_of_another_size_than_its_header_says_fails_the_batch() -> None:
    inference = Inference("toy:1", Runtime(lambda rows: rows))
    ((header, _),) = Decoder().feed(inference.answer(Ask(1, "FP32", (3,), 2), bytearray(20)))
    assert isinstance(header, BatchFailed)


@pytest.mark.parametrize(("datatype", "shape", "asked"), [("FP32", (3, -1), [(1, 3, 1)]), ("JSON", (), [])])
def test_a_warm_up_asks_for_one_input_of_zeros(datatype: str, shape: tuple[int, ...], asked: list[Any]) -> None:
    shapes: list[tuple[int, ...]] = []

    def predict(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        shapes.append(rows.shape)
        return rows.reshape(len(rows), -1)[:, 0] / 0  # a row that is NaN does not hinder

    with np.errstate(invalid="ignore"):
        Inference("toy:1", Runtime(predict)).warm_up(datatype, shape)
    assert shapes == asked
