"""From a query to a vector of bounded length: numbers, scaled by what has been seen, classes, texts, the user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import log1p, sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from selector.decisions import Query
from selector.ngrams import hashed, is_text, sketch

Array = NDArray[np.float64]

_LARGEST = 1e9  # numbers beyond count as this
_STEEPEST = 4.0  # standard deviations from the mean; what is further away counts as this far
_MOST_NUMBERS = 4096  # names of numbers that are told apart
_LONGEST_KEY = 96
_USER = 0.5  # length of the user's part: users differ less than queries do


class Scales(Struct, array_like=True):
    """What is encoded of `Features`: keys in the order of their places, and moments of the numbers as bytes."""

    keys: list[str] = []
    numbers: list[str] = []
    count: float = 0.0
    energy: float = 0.0
    means: bytes = b""
    squares: bytes = b""


@dataclass(eq=False)
class Features:
    """The way from queries to vectors x = (1, ...) of at most `dimension` entries.

    Every key (a number's name, a class, a bucket of users or of words) has a place of its own in the order of
    appearance, while there are places; later keys share them all, by signed hashing. Numbers are standardized by the
    mean and deviation of all queries so far, and are together about as long as 1, like the classes together and the
    texts together. A number that is not given counts as 0, NaN as the mean; a query without features is the mean.
    """

    dimension: int
    scales: Scales = field(default_factory=Scales)

    def __post_init__(self) -> None:
        scales = self.scales
        self._places = {key: i for i, key in enumerate(scales.keys, 1)}
        self._numbers = {name: i for i, name in enumerate(scales.numbers)}
        self._means, self._squares = np.frombuffer(scales.means).copy(), np.frombuffer(scales.squares).copy()
        self._slopes = self._steepness()
        at = [self._place(name) or (0, 0.0) for name in scales.numbers]
        self._at = np.array([place for place, _ in at], dtype=np.intp)
        self._signs = np.array([sign for _, sign in at], dtype=np.float64)

    def copy(self) -> Features:
        """Features that share nothing with these."""
        return Features(self.dimension, self.encoded())

    def encoded(self) -> Scales:
        """What these have learned."""
        scales = self.scales
        means, squares = self._means.tobytes(), self._squares.tobytes()
        return Scales(list(scales.keys), list(scales.numbers), scales.count, scales.energy, means, squares)

    @property
    def size(self) -> int:
        """The length of the vectors: the least power of two that has room for all keys, at most `dimension`."""
        return min(self.dimension, 1 << len(self.scales.keys).bit_length())

    def learn(self, query: Query) -> Array:
        """Take a query's keys and numbers into account, in place; then its x."""
        self._add_numbers(sorted(name for name in _numbers(query) if name not in self._numbers))
        keys = list(_keys(query, self.dimension))
        for key, _ in keys:
            self._add_key(key)
        self.scales.count += 1.0
        raw = self._raw(query)
        if raw is not None:
            self._learn_numbers(raw)
        return self._vector(raw, keys)

    def vector(self, query: Query) -> Array:
        """x, of `size` entries, the first of them 1; keys that have no place yet are left out."""
        return self._vector(self._raw(query), _keys(query, self.dimension))

    def _vector(self, raw: Array | None, keys: Iterable[tuple[str, float]]) -> Array:
        x = np.zeros(self.size)
        if raw is not None:
            standard = self._standardized(raw) * (self._signs / sqrt(max(1.0, self.scales.energy)))
            x += np.bincount(self._at, standard, len(x))
        for key, value in keys:
            place = self._place(key)
            if place is not None:
                x[place[0]] += place[1] * value
        x[0] = 1.0
        return x

    def _place(self, key: str) -> tuple[int, float] | None:
        """Where a key stands, and its sign; None if it has no place although there are some left."""
        place = self._places.get(key)
        if place is not None:
            return place, 1.0
        if len(self._places) < self.dimension - 1:
            return None
        code, sign = hashed(key)
        return 1 + code % (self.dimension - 1), sign

    def _add_key(self, key: str) -> None:
        if key not in self._places and len(self._places) < self.dimension - 1:
            self.scales.keys.append(key)
            self._places[key] = len(self._places) + 1

    def _add_numbers(self, names: list[str]) -> None:
        """A number that was never given has been 0 so far."""
        for name in names[: _MOST_NUMBERS - len(self._numbers)]:
            self._add_key(name)
            self._numbers[name] = len(self._numbers)
            self.scales.numbers.append(name)
            place, sign = self._place(name) or (0, 0.0)
            self._at, self._signs = np.append(self._at, place), np.append(self._signs, sign)
        nothing = np.zeros(len(self._numbers) - len(self._means))
        if len(nothing):
            self._means, self._squares = np.append(self._means, nothing), np.append(self._squares, nothing)

    def _learn_numbers(self, raw: Array) -> None:
        scales = self.scales
        step = raw - self._means
        self._means += step / scales.count
        self._squares += step * (raw - self._means)
        self._slopes = self._steepness()
        standard = self._standardized(raw)
        scales.energy += (float(standard @ standard) - scales.energy) / scales.count

    def _steepness(self) -> Array:
        """1 / deviation of each number; 0 for one that does not vary."""
        deviations = np.sqrt(self._squares / max(1.0, self.scales.count))
        varies = deviations > 1e-9 * np.maximum(1.0, np.abs(self._means))
        return np.divide(1.0, deviations, out=np.zeros_like(deviations), where=varies)

    def _raw(self, query: Query) -> Array | None:
        """All numbers as given; None if the query has no features, or no number is known."""
        if not query.features or not self._numbers:
            return None
        given = _numbers(query)
        known = [i for i in map(self._numbers.get, given) if i is not None]
        values = list(given.values())
        if len(known) < len(values):
            values = [value for name, value in given.items() if name in self._numbers]
        raw = np.zeros(len(self._numbers))
        raw[known] = values
        unknown = np.isnan(raw)
        return np.where(unknown, self._means, np.maximum(-_LARGEST, np.minimum(_LARGEST, raw)))

    def _standardized(self, raw: Array) -> Array:
        return np.maximum(-_STEEPEST, np.minimum(_STEEPEST, (raw - self._means) * self._slopes))


def _numbers(query: Query) -> dict[str, float]:
    """The numbers, and how long each text is."""
    numbers: dict[str, float] = {}
    for name, value in query.features.items():
        if isinstance(value, str):
            if is_text(value):
                numbers[_short(f"{name} length")] = log1p(len(value))
        else:
            numbers[name if len(name) <= _LONGEST_KEY else _short(name)] = (
                value if isinstance(value, float) else float(max(-_LARGEST, min(_LARGEST, value)))
            )
    return numbers


def _keys(query: Query, dimension: int) -> Iterator[tuple[str, float]]:
    """Keys other than numbers, each with its value: classes together have length 1, so have texts."""
    texts: list[tuple[str, str]] = []
    classes: list[tuple[str, str]] = []
    for name in sorted(query.features):
        value = query.features[name]
        if isinstance(value, str):
            (texts if is_text(value) else classes).append((name, value))
    for name, value in classes:
        yield _short(f"{name}={value}"), 1 / sqrt(len(classes))
    for name, value in texts:
        for bucket, weight in sketch(value, max(1, dimension // 2)).items():
            yield _short(f"{name} {bucket}"), weight / sqrt(len(texts))
    if query.user is not None:
        code, sign = hashed(query.user)
        yield f" user {code % max(1, dimension // 4)}", sign * _USER


def _short(key: str) -> str:
    """The key itself, or if it is long its beginning and a hash."""
    return key if len(key) <= _LONGEST_KEY else f"{key[:64]} {hashed(key)[0]}"
