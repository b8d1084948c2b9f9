"""A model's accuracy, and the alarm when it has changed."""

from __future__ import annotations

from random import Random
from statistics import median

from selector.pool.accuracy import Accuracy


def labels_until_alarm(accuracy: Accuracy, rate: float, rng: Random, limit: int = 2_000) -> int:
    return next((n for n in range(1, limit) if accuracy.add(rng.random() < rate)), limit)


def settled(rate: float, rng: Random) -> Accuracy:
    accuracy = Accuracy()
    for _ in range(2_000):
        assert not accuracy.add(rng.random() < rate)
    return accuracy


def test_failure_and_recovery_are_seen_within_tens_of_labels() -> None:
    for before, after in ((0.9, 0.1), (0.1, 0.9)):
        delays = [labels_until_alarm(settled(before, Random(seed)), after, Random(-seed - 1)) for seed in range(40)]
        assert median(delays) <= 20
        assert max(delays) <= 60


def test_a_steady_model_makes_no_alarm() -> None:
    # An alarm needs 14 nats: by Ville's inequality a restart of the CUSUM alarms with probability exp(-14); 60,000
    # labels on two sides alarm with probability below 60,000 * 2 * exp(-14) = .1; far less as few labels restart it.
    for rate in (0.5, 0.7, 0.95):
        rng, accuracy = Random(5), Accuracy()
        assert not any(accuracy.add(rng.random() < rate) for _ in range(20_000))


def test_the_rate_is_learned_anew_after_a_change() -> None:
    rng = Random(3)
    accuracy = settled(0.9, rng)
    labels_until_alarm(accuracy, 0.2, rng)
    for _ in range(300):
        accuracy.add(rng.random() < 0.2)
    assert abs(accuracy.rate - 0.2) < 0.1
