"""Whether a model that was not asked is right, told from where it was."""

from __future__ import annotations

from math import sqrt
from random import Random

import pytest

from selector.cascade.odds import logistic
from selector.cascade.unasked import Line, Unasked
from selector.cascade.view import centre, keys_at, keys_of

USUAL = 0.8
SURE, LESS, UNSURE = (keys_at(x, 1)[-1] for x in (4.2, 1.2, -1.2))


def test_a_line_finds_the_chances_it_was_shown() -> None:
    rng, line = Random(1), Line()
    for _ in range(4_000):
        x = rng.uniform(-2.0, 5.0)
        line.add(0.5, x, rng.random() < logistic(1.0 - 0.4 * x))
    for x in (-1.0, 1.0, 4.0):
        assert abs(line(0.5, x) - logistic(1.0 - 0.4 * x)) < 4.5 * 2.0 * sqrt(0.25 / 4_000)


def test_a_line_that_fades_follows_a_change_and_is_no_bolder_than_at_first() -> None:
    line, first = Line(), Line()
    for _ in range(5_000):
        line.add(0.5, 2.0, True)
    line.fade(1e-6)
    level, slope = line.level, line.slope
    for _ in range(50):
        line.add(0.5, 2.0, False)
        first.add(0.5, 2.0, False)
    assert line(0.5, 2.0) < 0.1
    assert level - line.level < 4.0 * -first.level
    assert slope - line.slope < 4.0 * -first.slope


def test_outcomes_that_have_faded_count_for_as_many_as_tell_a_mean_as_well() -> None:
    unasked = Unasked()
    for _ in range(4_000):
        unasked.add(LESS, USUAL, True, True)
        unasked.fade(0.99)  # of 100 of the latest, at most
    assert unasked.known(LESS, True) == pytest.approx(199.0, abs=1.5)
    for _ in range(100):
        unasked.add(LESS, USUAL, True, False)
        unasked.fade(0.99)
    assert unasked.chance(LESS, USUAL, True) < 0.5
    for _ in range(50_000):
        unasked.fade(0.99)
    assert unasked.known(LESS, True) == pytest.approx(0.0)


def test_of_more_outcomes_than_are_remembered_it_knows_no_more_than_what_is_left_tells() -> None:
    unasked = Unasked()
    for _ in range(50_000):
        unasked.add(LESS, USUAL, True, True)
    assert 30_000 < unasked.known(LESS, True) < 40_000  # a mean that forgets one of 20,000 with each
    for _ in range(100):
        unasked.fade(0.98)
    left = unasked.cells.weight(2 * keys_of(LESS)[-2] + True)
    assert unasked.known(LESS, True) == pytest.approx(2 * left)


def test_where_there_is_no_cell_left_nothing_is_known() -> None:
    unasked = Unasked()
    for label in range(1_100):
        unasked.add(keys_at(4.2, label)[-1], USUAL, True, True)
    unasked.add(UNSURE, USUAL, True, True)
    assert unasked.known(UNSURE, True) == 0.0
    assert unasked.known(SURE, True) == 1_100.0


def test_what_was_seldom_seen_is_led_to_by_what_was() -> None:
    """The surer an answer that is wrong, the less likely is another model right."""
    rng, unasked = Random(2), Unasked()
    for finest in (UNSURE, LESS) * 300:
        unasked.add(finest, USUAL, False, rng.random() < logistic(-0.6 * centre(finest)))
    assert unasked.known(SURE, False) == 0.0
    assert (
        unasked.chance(SURE, USUAL, False)
        < 0.2
        < unasked.chance(LESS, USUAL, False)
        < 0.5
        < unasked.chance(UNSURE, USUAL, False)
    )


def test_what_was_often_seen_counts_more_than_where_the_line_leads() -> None:
    rng, unasked = Random(3), Unasked()
    for finest, chance in ((UNSURE, 0.2), (LESS, 0.9), (SURE, 0.3)) * 1_000:
        unasked.add(finest, USUAL, True, rng.random() < chance)
    assert abs(unasked.chance(LESS, USUAL, True) - 0.9) < 4.5 * sqrt(0.09 / 1_000) + 0.01


def test_where_the_answer_is_right_and_where_it_is_wrong_are_told_apart() -> None:
    unasked = Unasked()
    for _ in range(50):
        unasked.add(LESS, USUAL, True, True)
        unasked.add(LESS, USUAL, False, False)
    assert unasked.chance(LESS, USUAL, True) > 0.9
    assert unasked.chance(LESS, USUAL, False) < 0.1


def test_a_label_that_the_model_knows_less_of_is_told_from_the_others() -> None:
    unasked, hard = Unasked(), keys_at(1.2, 2)[-1]
    for _ in range(100):
        unasked.add(LESS, USUAL, True, True)
        unasked.add(hard, USUAL, True, False)
    assert unasked.chance(LESS, USUAL, True) > 0.85
    assert unasked.chance(hard, USUAL, True) < 0.15
    assert unasked.known(LESS, True) == unasked.known(hard, True) == 200.0
