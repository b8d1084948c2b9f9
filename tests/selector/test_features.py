"""From queries to vectors: bounded, alike everywhere, whatever the scale and however many names there are."""

from __future__ import annotations

from math import inf, nan
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector.decisions import Feature, Query
from selector.features import Features
from selector.ngrams import hashed, is_text, ngrams, sketch


def query(features: dict[str, Feature], user: str | None = None) -> Query:
    return Query(1, (), user=user, features=features)


def learned(queries: list[Query], dimension: int = 32) -> Features:
    features = Features(dimension)
    for known in queries:
        features.learn(known)
    return features


def test_hashes_are_the_same_on_every_machine() -> None:
    assert hashed("prompt") == (829928988, -1.0)
    assert hashed("\ud800 lone surrogate") == hashed("\ud800 lone surrogate")


def test_the_unit_of_a_number_does_not_matter() -> None:
    rng = Random(1)
    metres = [rng.gauss(5, 2) for _ in range(100)]
    small, large = (learned([query({"x": unit * m + shift}) for m in metres]) for unit, shift in ((1, 0), (1e3, 1e5)))
    assert small.vector(query({"x": 7.0})) == pytest.approx(large.vector(query({"x": 7e3 + 1e5})))
    assert small.vector(query({"x": 5.0}))[1] == pytest.approx(0, abs=0.2)


def test_what_is_not_given_counts_as_zero_and_nan_as_the_mean() -> None:
    features = learned([query({"x": float(i % 3), "y": 1.0}) for i in range(90)])
    assert features.vector(query({"y": 1.0})) == pytest.approx(features.vector(query({"x": 0, "y": 1.0})))
    assert features.vector(query({"x": nan, "y": 1.0})) == pytest.approx(features.vector(query({"x": 1, "y": 1.0})))
    assert features.vector(query({})).tolist() == [1.0] + [0.0] * (features.size - 1)


def test_a_name_that_comes_late_has_been_zero_before() -> None:
    late = learned([*[query({"x": 1.0})] * 50, *[query({"x": 2.0, "late": 1.0})] * 50])
    early = learned([*[query({"x": 1.0, "late": 0.0})] * 50, *[query({"x": 2.0, "late": 1.0})] * 50])
    seen = query({"x": 2.0, "late": 1.0})
    assert sorted(late.vector(seen)) == pytest.approx(sorted(early.vector(seen)))


def test_with_room_every_name_and_class_has_a_place_of_its_own() -> None:
    kinds = [query({"a": 1.0, "kind": kind, "b": 2.0}, user) for kind in "xyz" for user in ("ann", "bob")]
    features = learned(kinds)
    x, y = (features.vector(query({"kind": kind})) for kind in "xy")
    assert np.flatnonzero(x != y).size == 2
    ann, bob = (features.vector(query({"kind": "x"}, user)) for user in ("ann", "bob"))
    assert np.flatnonzero(ann != bob).size == 2


def test_an_unknown_class_is_nothing_while_there_is_room() -> None:
    features = learned([query({"kind": "x"})])
    assert features.vector(query({"kind": "new"})).tolist() == features.vector(query({})).tolist()


def test_without_room_names_share_places_and_lengths_are_kept() -> None:
    rng = Random(1)
    crowd = [query({f"f{j}": rng.gauss(0, 1) for j in range(300)}) for _ in range(60)]
    features = learned(crowd, dimension=64)
    vectors = [features.vector(known) for known in crowd]
    assert {len(x) for x in vectors} == {64}
    lengths = [float(x[1:] @ x[1:]) for x in vectors]
    assert np.mean(lengths) == pytest.approx(1, abs=0.15)


def test_memory_does_not_grow_with_names() -> None:
    features = learned([query({f"n{i} {'long ' * 50}": 1.0, f"s{i}": "class"}, f"u{i}") for i in range(6_000)], 16)
    scales = features.encoded()
    assert len(scales.keys) == 15
    assert len(scales.numbers) == 4096
    assert max(map(len, scales.numbers)) < 100


def test_texts_with_words_in_common_are_near() -> None:
    first, second, other = (
        sketch(text, 1024)
        for text in ("how many apples are left", "How many pears are left", "translate this poem into French please")
    )

    def product(a: dict[int, float], b: dict[int, float]) -> float:
        return sum(value * b.get(bucket, 0.0) for bucket, value in a.items())

    assert product(first, first) == pytest.approx(1)
    assert product(first, second) > 0.3 > abs(product(first, other))


def test_a_string_with_blanks_or_many_letters_is_a_text() -> None:
    assert not is_text("en")
    assert not is_text(" en ")
    assert is_text("en fr")
    assert is_text("e" * 40)
    assert ngrams("A b a b") == ["a", "b", "a b", "b a"]
    assert len(ngrams("word " * 10_000 + "end")) == 2
    assert len(ngrams(" ".join(map(str, range(10_000))))) == 512 + 511


names = st.text(max_size=5)
values = st.floats() | st.integers() | st.text(max_size=12) | st.just(inf)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.dictionaries(names, values, max_size=4), st.none() | names), max_size=6))
def test_no_query_is_too_strange(queries: list[tuple[dict[str, Feature], str | None]]) -> None:
    features = Features(8)
    for given_, user in queries:
        x = features.learn(query(given_, user))
        assert np.isfinite(x).all()
        assert float(x @ x) < 100
        again = Features(8, features.encoded())
        assert again.vector(query(given_, user)).tobytes() == features.vector(query(given_, user)).tobytes()
