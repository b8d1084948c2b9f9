"""How JSON becomes an input: what is taken, what is refused, and that both ways of reading agree."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.errors import InvalidInput
from serving.inputs import DATATYPES, LONG, InputSpec, decoder
from serving.values import Input


def decode(datatype: str, shape: tuple[int, ...], text: str) -> Input:
    return decoder(InputSpec(datatype, shape))(text.encode())


def refusal(datatype: str, shape: tuple[int, ...], text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        decode(datatype, shape, text)
    return str(caught.value)


def padded(text: str) -> str:
    """The same JSON, long enough for SIMD."""
    return text[:-1] + " " * LONG + text[-1]


@pytest.mark.parametrize("write", [str, padded], ids=["short", "long"])
@pytest.mark.parametrize(
    ("datatype", "code", "values"),
    [
        ("UINT8", "B", [0, 255]),
        ("UINT16", "H", [0, 65535]),
        ("UINT32", "I", [0, 2**32 - 1]),
        ("UINT64", "Q", [0, 2**64 - 1]),
        ("INT8", "b", [-128, 127]),
        ("INT16", "h", [-(2**15), 2**15 - 1]),
        ("INT32", "i", [-(2**31), 2**31 - 1]),
        ("INT64", "q", [-(2**63), 2**63 - 1]),
        ("FP16", "e", [0.5, -65504.0]),
        ("FP32", "f", [0.1, -3.4028234663852886e38]),
        ("FP64", "d", [0.1, 1.7976931348623157e308]),
    ],
)
def test_numbers_become_little_endian_values(
    datatype: str, code: str, values: list[float], write: Callable[[str], str]
) -> None:
    assert decode(datatype, (2,), write(json.dumps(values))) == Input(datatype, (2,), struct.pack(f"<2{code}", *values))


def test_booleans_become_bytes() -> None:
    assert decode("BOOL", (3,), "[true, false, true]").data == b"\1\0\1"


def test_every_numeric_datatype_has_the_width_that_numpy_gives_it() -> None:
    widths = {"BOOL": 1, "UINT8": 1, "INT8": 1, "UINT16": 2, "INT16": 2, "FP16": 2, "UINT32": 4, "INT32": 4, "FP32": 4}
    for datatype in DATATYPES[:-2]:
        text = "[true]" if datatype == "BOOL" else "[1]"
        assert len(decode(datatype, (1,), text).data) == widths.get(datatype, 8)


def test_numbers_may_be_nested_as_the_shape_says_or_flat() -> None:
    nested, flat = (decode("FP32", (2, 3), text) for text in ("[ [1,2,3],[4,5,6]]", "[1,2,3,4,5,6]"))
    assert nested == flat
    assert np.frombuffer(nested.data, "<f4").tolist() == [1, 2, 3, 4, 5, 6]


def test_a_number_without_a_shape_is_written_alone() -> None:
    assert decode("FP64", (), "2.5") == Input("FP64", (), struct.pack("<d", 2.5))


@pytest.mark.parametrize(
    ("shape", "text", "got"),
    [
        ((-1,), "[]", (0,)),
        ((-1,), "[1,2,3]", (3,)),
        ((-1, 2), "[1,2,3,4]", (2, 2)),
        ((2, -1), "[[1],[2]]", (2, 1)),
        ((-1, -1), "[[1,2],[3,4]]", (2, 2)),
        ((2, -1, 2), "[[[1,2]],[[3,4]]]", (2, 1, 2)),
    ],
)
def test_minus_one_is_any_length(shape: tuple[int, ...], text: str, got: tuple[int, ...]) -> None:
    assert decode("FP32", shape, text).shape == got


@pytest.mark.parametrize(
    ("datatype", "shape", "text", "says"),
    [
        ("FP32", (2,), "[1]", "expected FP32 [2], got 1 values"),
        ("FP32", (2,), "[1,2,3]", "expected FP32 [2], got 3 values"),
        ("FP32", (2,), "[[1],[2]]", "Expected `float`, got `array`"),
        ("FP32", (2,), '[1,"2"]', "Expected `float`, got `str` - at `$[1]`"),
        ("FP32", (2,), "[1,true]", "Expected `float`, got `bool`"),
        ("FP32", (2,), "[1,null]", "Expected `float`, got `null`"),
        ("FP32", (2,), "null", "Expected `array`, got `null`"),
        ("FP32", (2,), "7", "Expected `array`, got `int`"),
        ("FP32", (), "[7]", "Expected `float`, got `array`"),
        ("FP32", (2,), "[1,NaN]", "malformed"),
        ("FP32", (2,), "[1,Infinity]", "malformed"),
        ("FP64", (2,), "[1,1e309]", "out of range"),
        ("FP32", (2,), "[1,1e39]", "got 1e+39 at [1]"),
        ("FP16", (2,), "[65520,1]", "got 65520.0 at [0]"),
        ("INT32", (2,), "[1,2.5]", "got 2.5 at [1]"),
        ("INT32", (2,), "[1,1e30]", "at [1]"),
        ("UINT8", (2,), "[256,1]", "got 256 at [0]"),
        ("UINT8", (2,), "[1,-1]", "got -1 at [1]"),
        ("INT64", (1,), "[9223372036854775808]", "got 9223372036854775808 at [0]"),
        ("BOOL", (1,), "[1]", "Expected `bool`, got `int`"),
        ("FP32", (2, 2), "[[1,2],[3]]", "got lists of different lengths: [1, 2]"),
        ("FP32", (2, 2), "[[1,2],[3,4],[5,6]]", "got shape [3, 2]"),
        ("FP32", (2, 2), "[[1,2],3]", "Expected `array`, got `int`"),
        ("FP32", (2, 2), "[[[1],[2]],[[3],[4]]]", "Expected `float`, got `array`"),
        ("FP32", (-1, -1), "[1,2]", "got 2 values"),
        ("FP32", (-1, 2), "[1,2,3]", "got 3 values"),
        ("BYTES", (), "3", "expected BYTES, as a string"),
        ("BYTES", (), '"\\ud800"', "expected BYTES"),
        ("JSON", (), "18446744073709551616", "at most 64 bits"),
    ],
)
def test_what_does_not_fit_is_refused_saying_what_was_expected_and_what_came(
    datatype: str, shape: tuple[int, ...], text: str, says: str
) -> None:
    assert says in refusal(datatype, shape, text)


def test_a_long_input_is_refused_with_the_same_words() -> None:
    text = json.dumps([1.0] * 500 + ["x"])
    assert "got `str` - at `$[500]`" in refusal("FP32", (501,), text)
    assert "got 501 values" in refusal("FP32", (500,), json.dumps([1.0] * 501))
    assert "got 1e+39 at [500]" in refusal("FP32", (501,), json.dumps([1.0] * 500 + [1e39]))


def test_lists_hidden_in_a_long_flat_list_are_found() -> None:
    hidden = json.dumps([[], [1, 2], *[1.0] * 500])
    assert "got `array`" in refusal("FP32", (502,), hidden)


def test_an_integer_may_be_written_as_a_float() -> None:
    assert decode("INT32", (2,), "[1.0, -2e3]") == decode("INT32", (2,), "[1, -2000]")


def test_bytes_are_the_text_in_utf8() -> None:
    assert decode("BYTES", (), '"caf\\u00e9"') == Input("BYTES", (), "café".encode())


def test_json_is_the_same_input_whatever_the_order_of_keys() -> None:
    one, other = decode("JSON", (), '{"b": [1, null], "a": "x"}'), decode("JSON", (), '{"a":"x","b":[1,null]}')
    assert one == other
    assert msgspec.msgpack.decode(one.data) == {"a": "x", "b": [1, None]}


def test_deep_nesting_is_refused() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert "recursion" in refusal("JSON", (), deep)
    assert "expected FP32" in refusal("FP32", (2, 2), deep)


def test_bytes_and_json_have_no_shape() -> None:
    with pytest.raises(ValueError, match="no shape"):
        InputSpec("BYTES", (3,))


def test_parsers_are_reused_after_a_failure() -> None:
    read = decoder(InputSpec("FP32", (500,)))
    good, bad = json.dumps([1.5] * 500).encode(), json.dumps([1.5] * 499 + [None]).encode()
    for _ in range(3):
        with pytest.raises(InvalidInput):
            read(bad)
        assert read(good).data == struct.pack("<500f", *[1.5] * 500)


NUMBERS = st.one_of(
    st.integers(-(2**66), 2**66).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(
        [
            "-0",
            "-0.0",
            "0e5",
            "1E3",
            "1e-400",
            "65519.99",
            "65520",
            "3.4028235677973366e38",
            "3.4028235677973362e38",
            "1e309",
            "true",
            "null",
            "01",
            "1.",
            "9007199254740993",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775809",
        ]
    ),
    st.sampled_from(['"1"', "[]", "[1]", "{}", "NaN", "\x00", "é"]),
)


def outcome(datatype: str, text: bytes) -> Input | None:
    try:
        return decoder(InputSpec(datatype, (-1,)))(text)
    except InvalidInput:
        return None


@given(
    st.sampled_from(DATATYPES[:-2]),
    st.lists(NUMBERS | st.integers(0, 9).map(str), max_size=6),
    st.sampled_from(["", " ", "\n\t", ","]),
)
@settings(max_examples=400, deadline=None)
def test_the_fast_way_takes_and_refuses_what_the_slow_way_does(
    datatype: str, numbers: list[str], trailing: str
) -> None:
    text = ("[" + ",".join(numbers) + trailing + "]").encode()
    long = text[:1] + b" " * LONG + text[1:]
    assert outcome(datatype, text) == outcome(datatype, long)


@given(st.lists(st.floats(width=16, allow_nan=False, allow_infinity=False), min_size=1, max_size=300))
@settings(deadline=None)
def test_floats_survive_exactly(values: list[float]) -> None:
    data = decode("FP16", (-1,), json.dumps(values)).data
    back = struct.unpack(f"<{len(values)}e", data)
    assert [(v, math.copysign(1, v)) for v in back] == [(v, math.copysign(1, v)) for v in values]
