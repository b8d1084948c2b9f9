"""Trust: what comes true is believed, what does not is not."""

from __future__ import annotations

from math import exp

import pytest

from selector.policies.trust import Trust

EVEN = [0.45, 0.45, 0.1]
RIGHT, NOTHING = [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]
TOWARDS, AWAY = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]


def test_without_trust_a_user_is_answered_as_everyone_is() -> None:
    assert Trust([0.0, 1.0], [0.0, 1.0]).met(EVEN, TOWARDS, AWAY) == pytest.approx(EVEN)


def test_at_first_record_and_vote_are_believed_whole_and_multiply_the_odds() -> None:
    met = Trust().met(EVEN, [2.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    assert sum(met) == pytest.approx(1.0)
    assert met[0] / met[2] == pytest.approx(4.5 * exp(2.0))
    assert met[1] / met[2] == pytest.approx(4.5 * exp(1.0))


def test_what_comes_true_is_believed_and_what_does_not_is_not() -> None:
    trust = Trust()
    for _ in range(100):
        trust.learn(EVEN, TOWARDS, AWAY, RIGHT)
    assert trust.record[0] > 1.0
    assert trust.vote[0] == 0.0


def test_what_everyones_state_knows_already_is_believed_less() -> None:
    """Right nine times in ten, as everyone's state says: what moves the odds further is too much."""
    trust = Trust()
    for i in range(800):
        trust.learn([0.9, 0.09, 0.01], TOWARDS, NOTHING, RIGHT if i % 10 else [0.0, 1.0, 0.0])
    assert trust.record[0] < 0.2


def test_a_user_of_whom_nothing_is_known_teaches_nothing() -> None:
    trust = Trust()
    trust.learn(EVEN, NOTHING, NOTHING, RIGHT)
    assert trust == Trust()
