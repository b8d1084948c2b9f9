"""What the query itself tells of who will be right: logistic regression on hashed features and words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from math import isfinite, log1p, sqrt
from zlib import crc32

from msgspec import Struct

from selector.cascade.odds import logistic
from selector.decisions import Feature
from selector.pool.gradient import Weight, step

_SIZE = 1 << 14
_WORDS = 256  # of one text
_RATE = 0.3
_WORD = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")


class Context(Struct, array_like=True):
    """By hash of a feature: [weight, sum of squared gradients], for one model."""

    weights: dict[int, Weight] = {}

    def shift(self, features: Mapping[int, float]) -> float:
        """Log odds to be added."""
        known = self.weights
        return sum([known[key][0] * x for key, x in features.items() if key in known])

    def learn(self, features: Mapping[int, float], usual: float, right: bool) -> None:
        """Whether the model was right, in place; `usual` are its log odds of that."""
        residual = right - logistic(usual + self.shift(features))
        for key, x in features.items():
            step(self.weights.setdefault(key, [0.0, 1.0]), residual * x, _RATE)


def hashed(features: Mapping[str, Feature]) -> dict[int, float]:
    """Numbers squashed, strings as they are, texts also by words, pairs of words and length; of norm at most 1."""
    found: dict[int, float] = {}
    for name in sorted(features):
        value = features[name]
        if not isinstance(value, str):
            if isfinite(value):
                _add(found, name, log1p(abs(value)) * (1.0 if value >= 0 else -1.0) / 5.0)
            continue
        words = _WORD.findall(value.lower())[:_WORDS]
        if len(words) < 2:
            _add(found, f"{name}={value}", 1.0)
            continue
        grams = [*words, *map(" ".join, pairwise(words))]
        for gram in sorted(set(grams)):
            _add(found, f"{name} {gram}", 1.0 / sqrt(len(grams)))
        _add(found, f"{name} length", log1p(len(words)) - 3.5)
        _add(found, f"{name} numbers", log1p(sum(word.isdigit() for word in words)) - 1.5)
    return found


def _add(found: dict[int, float], name: str, x: float) -> None:
    key = crc32(name.encode(errors="backslashreplace")) % _SIZE
    found[key] = found.get(key, 0.0) + x
