"""Long bodies are read in a quicker way, and to the same effect."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.api.bodies import PredictBody
from serving.api.body_reader import BodyReader
from serving.errors import BadRequest, InvalidInput
from serving.inputs import LONG, InputSpec, decoder
from serving.values import Input

READER = BodyReader(PredictBody, decoder(InputSpec("FP32", (-1,))))


def read(body: bytes) -> object:
    """What a body says, or which error it is."""
    try:
        fields, asked = READER.read(body)
    except (BadRequest, InvalidInput) as error:
        return type(error)
    return fields.user, fields.query_id, fields.version, asked


def lengthened(body: bytes) -> bytes:
    return body + b" " * LONG


@pytest.mark.parametrize(
    "body",
    [
        b'{"input":[1,2],"user":"u"}',
        b'{"user":"u]","input":[1,2]}',
        b'{"input":[1,2],"user":"u]"}',
        b'{"user":"[1,2]","input":3}',
        b'{"user":"[1,2]"}',
        b'{"user":"\\"input\\":[1,2]","version":"x"}',
        b'{"\\"input":[1,2]}',
        b'{"user":"","input":[1,2]}',
        b'{"input":7,"input":[1,2]}',
        b'{"input":[1,2],"input":7}',
        b'{"version":"[","user":"]","input":7}',
        b'{"input":[1,2]',
        b'{"input":[1,2],"user":"]"',
        b'{"input":[1,2}]',
        b'{"input":[1,2]]}',
        b'{"input":[]}',
        b'{"input":[1,]}',
        b"[1,2]",
        b"]1,2[",
        b"[",
    ],
)
def test_brackets_anywhere_do_not_confuse_it(body: bytes) -> None:
    assert read(lengthened(body)) == read(body)


def test_the_quick_way_is_taken() -> None:
    numbers = [0.5] * 784
    body = json.dumps({"user": "ann", "input": numbers}).encode()
    found = READER._read_long(body)
    assert found is not None
    assert (found[0].user, found[1]) == ("ann", decoder(InputSpec("FP32", (784,)))(json.dumps(numbers).encode()))


TEXTS = st.text(st.sampled_from('[]",\\{}:a1 '), max_size=6)
FRAGMENTS = st.lists(
    st.sampled_from(
        [b'"input"', b'"user"', b'"query_id"', b":", b",", b"[", b"]", b"1", b"2.5", b'"', b"\\", b"{", b"}", b" "]
    )
    | TEXTS.map(lambda text: json.dumps(text).encode()),
    max_size=12,
).map(b"".join)


@given(
    st.dictionaries(st.sampled_from(["user", "version", "query_id"]), TEXTS),
    st.lists(st.floats(-9, 9), max_size=3),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_texts_with_brackets_and_quotes_stay_what_they_are(
    texts: dict[str, str], numbers: list[float], first: bool
) -> None:
    fields = {"input": numbers, **texts} if first else {**texts, "input": numbers}
    body = json.dumps(fields).encode()
    assert read(lengthened(body)) == read(body)


@given(FRAGMENTS, FRAGMENTS)
@settings(max_examples=400, deadline=None)
def test_rubbish_around_an_input_is_the_same_rubbish(before: bytes, behind: bytes) -> None:
    body = b'{"input":[1,2]' + before + b"," + behind + b"}"
    assert read(lengthened(body)) == read(body)
    other = b"{" + before + b',"input":[1,2]' + behind + b"}"
    assert read(lengthened(other)) == read(other)


def test_reading_gives_an_input() -> None:
    assert read(b'{"input":[1]}') == (None, None, None, Input("FP32", (1,), b"\0\0\x80?"))
