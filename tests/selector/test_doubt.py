"""Doubt: whether answers claim more of it than is usual."""

from __future__ import annotations

from random import Random

from selector.doubt import Doubt

EVERY, KEEP = 20, 0.96


def looks_until_grown(doubt: Doubt, mean: float, rng: Random, limit: int) -> int:
    """Doubts even in [0, 2 mean], looked at every 20; `limit` where none of so many looks finds growth."""
    for look in range(1, limit + 1):
        for _ in range(EVERY):
            doubt.add(rng.uniform(0.0, 2.0 * mean))
        if doubt.has_grown(KEEP):
            return look
    return limit


def test_growth_is_found_within_a_hundred_answers_and_then_is_usual() -> None:
    doubt, rng = Doubt(), Random(1)
    assert looks_until_grown(doubt, 0.1, rng, 100) == 100
    assert looks_until_grown(doubt, 0.2, rng, 100) <= 5
    assert looks_until_grown(doubt, 0.2, rng, 100) == 100


def test_doubt_that_shrinks_is_no_growth() -> None:
    doubt, rng = Doubt(), Random(2)
    looks_until_grown(doubt, 0.2, rng, 50)
    assert looks_until_grown(doubt, 0.1, rng, 100) == 100


def test_steady_doubt_rarely_seems_to_grow() -> None:
    # With slack 1 a CUSUM of normal errors passes 5 about once in exp(2 * 5) = 22,000 looks; the usual is an estimate
    # itself, of 500 answers. Were it once in 5,000, these 4,000 would see three or more with probability .05.
    doubt, rng, found = Doubt(), Random(3), 0
    for _ in range(40):
        found += looks_until_grown(doubt, 0.1, rng, 100) < 100
    assert found <= 2
