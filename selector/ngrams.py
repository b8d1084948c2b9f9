"""Words and pairs of words of a text, as features: few enough to bound the work, hashed alike on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from zlib import crc32

_LONGEST_WORD = 32  # a string that is longer, or has blanks within, is a text, not the name of a class
_MOST_WORDS = 512


def is_text(value: str) -> bool:
    """Whether a feature's value is to be read word by word, not as the name of a class."""
    return len(value) > _LONGEST_WORD or len(value.split(maxsplit=1)) > 1


def ngrams(text: str) -> list[str]:
    """The first 512 words without regard to case, each once, and the pairs that follow each other, each once."""
    words = [word[:_LONGEST_WORD] for word in text.lower().split(maxsplit=_MOST_WORDS)[:_MOST_WORDS]]
    return list(dict.fromkeys([*words, *(f"{first} {second}" for first, second in pairwise(words))]))


def hashed(key: str) -> tuple[int, float]:
    """A number from 0 to 2^31 - 1 and a sign, both fixed by the key."""
    code = crc32(key.encode(errors="backslashreplace"))
    return code >> 1, 1.0 if code & 1 else -1.0


def sketch(text: str, buckets: int) -> dict[int, float]:
    """Signed feature hashing of the n-grams to a vector of length 1, by bucket; empty for a text without words.

    Weinberger, Dasgupta, Langford, Smola, Attenberg: Feature hashing for large scale multitask learning (ICML 2009).
    """
    sums: dict[int, float] = {}
    for ngram in ngrams(text):
        code, sign = hashed(ngram)
        sums[code % buckets] = sums.get(code % buckets, 0.0) + sign
    length = norm(list(sums.values()))
    return {bucket: value / length for bucket, value in sums.items() if value != 0.0}


def norm(values: Sequence[float]) -> float:
    """The Euclidean length."""
    return sqrt(sum(value * value for value in values))
