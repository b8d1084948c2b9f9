from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selector.decisions import Label, Prediction
from serving.inputs import DATATYPES
from serving.values import Input
from serving.workers import frames
from serving.workers.frames import NUMBERS, Ask, BadFrame, BatchFailed, Decoder, Frame, Header, Labels, Ping, Pong, Rows

labels = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text())
shares = st.floats(0, 1)
predictions = st.builds(
    Prediction,
    labels,
    st.none() | shares,
    st.none() | st.lists(st.tuples(labels, shares)).map(tuple),
    st.none() | shares,
)
headers = st.one_of(
    st.builds(
        Ask,
        st.integers(0, 2**32),
        st.sampled_from(DATATYPES),
        st.lists(st.integers(0, 9)).map(tuple),
        st.integers(1, 99),
        st.lists(st.integers(0, 99)).map(tuple),
    ),
    st.builds(Labels, st.integers(0, 2**32), st.lists(labels)),
    st.builds(
        Rows, st.integers(0, 9), st.lists(st.none() | predictions), st.dictionaries(st.integers(0, 9), st.text())
    ),
    st.builds(BatchFailed, st.integers(0, 9), st.integers(1, 9), st.text()),
    st.builds(Ping),
    st.builds(Pong),
)


def fed(pieces: list[bytes]) -> list[Frame]:
    decoder = Decoder()
    return [frame for piece in pieces for frame in decoder.feed(piece)]


@given(st.lists(st.tuples(headers, st.lists(st.binary(max_size=40), max_size=3)), max_size=4), st.data())
def test_frames_survive_any_cut_of_the_stream(sent: list[tuple[Header, list[bytes]]], data: st.DataObject) -> None:
    stream = b"".join(frames.encode(header, body) for header, body in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert fed(pieces) == [(header, bytearray(b"".join(body))) for header, body in sent]


def test_frames_survive_a_byte_at_a_time() -> None:
    sent: list[tuple[Header, bytes]] = [(Ask(7, "FP32", (2,), 3), bytes(24)), (Ping(), b""), (Labels(7, [1, "b"]), b"")]
    stream = b"".join(frames.encode(header, [body]) for header, body in sent)
    assert fed([stream[i : i + 1] for i in range(len(stream))]) == [(h, bytearray(b)) for h, b in sent]


@pytest.mark.parametrize("label", [True, 3, 3.0, "3"])
def test_a_label_keeps_its_type(label: Label) -> None:
    ((header, _),) = fed([frames.encode(Labels(1, [label]))])
    assert isinstance(header, Labels)
    assert type(header.rows[0]) is type(label)


def test_an_ask_joins_the_inputs_and_tells_sizes_only_where_they_differ() -> None:
    numbers = [Input("FP32", (2,), bytes(8)), Input("FP32", (2,), b"12345678")]
    texts = [Input("BYTES", (), b"one"), Input("BYTES", (), b""), Input("BYTES", (), b"three")]
    assert fed([frames.ask(1, numbers)]) == [(Ask(1, "FP32", (2,), 2), bytearray(bytes(8) + b"12345678"))]
    assert fed([frames.ask(2, texts)]) == [(Ask(2, "BYTES", (), 3, (3, 0, 5)), bytearray(b"onethree"))]


def test_a_body_belongs_to_whoever_got_it() -> None:
    decoder = Decoder()
    ((_, first),) = decoder.feed(frames.encode(Ping(), [b"first"]))
    ((_, second),) = decoder.feed(frames.encode(Ping(), [b"other"]))
    second[:] = b"?????"
    assert first == b"first"


@pytest.mark.parametrize(
    "garbage",
    [
        struct.pack("<II", 1, 2**31),
        struct.pack("<II", 2**31, 0),
        struct.pack("<II", 4, 0) + b"what",
        b"GET /metrics HTTP/1.1\r\n\r\n",
    ],
)
def test_garbage_is_refused_before_it_takes_memory(garbage: bytes) -> None:
    with pytest.raises(BadFrame):
        Decoder().feed(garbage)


def test_a_frame_over_the_limit_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "LIMIT", 100)
    with pytest.raises(BadFrame, match="100 at most"):
        frames.ask(1, [Input("BYTES", (), bytes(101))])


def test_every_datatype_of_an_application_has_a_way_to_the_model() -> None:
    assert {*NUMBERS, "BYTES", "JSON"} == set(DATATYPES)
