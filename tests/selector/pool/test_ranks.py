"""Ranks of scores."""

from __future__ import annotations

from random import Random

from selector.pool.ranks import Ranks


def test_bins_hold_equal_shares_whatever_the_scale() -> None:
    for scale in (1.0, 0.001):
        ranks, rng, counts = Ranks(), Random(1), [0] * 6
        for i in range(20_000):
            score = scale * rng.random() ** 3
            if i >= 10_000:
                counts[ranks.bin(score)] += 1
            ranks.add(score)
        assert max(counts) - min(counts) < 0.06 * 10_000


def test_memory_is_bounded_and_old_scores_still_count() -> None:
    ranks = Ranks()
    for i in range(10_000):
        ranks.add(0.2 if i < 5_000 else 0.8)
    assert len(ranks.scores) < 256
    assert abs(ranks.scores.count(0.2) / len(ranks.scores) - 0.5) < 0.1


def test_the_first_score_has_a_bin() -> None:
    assert Ranks().bin(0.7) == 0
