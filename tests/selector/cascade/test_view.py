"""What is seen, in bins of confidence."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from selector.cascade.stage import Step
from selector.cascade.view import View, bins_at, centre, keys_at, keys_of


def seen(x: float) -> View:
    return View(1, "cat", 0.7, 0.7, 0.7, keys_at(x, 0), bins_at(x, 0))


@given(st.floats(-12, 12), st.integers(0, 20))
def test_the_nearest_bins_weigh_one_together_and_have_the_label(x: float, label: int) -> None:
    bins = bins_at(x, label)
    assert sum(weight for weight, _ in bins) == pytest.approx(1.0)
    assert all(0.0 < weight <= 1.0 for weight, _ in bins)
    for _, keys in bins:
        assert keys == keys_of(keys[-1])
        assert keys == keys_at(centre(keys[-1]), label)


@given(st.floats(-1.7, 5.7))
def test_their_weighted_middle_is_what_was_seen(x: float) -> None:
    assert sum(weight * centre(keys[-1]) for weight, keys in bins_at(x, 3)) == pytest.approx(x)


def test_what_was_learned_of_a_step_changes_without_a_leap_as_answers_drift_from_bin_to_bin() -> None:
    step = Step()
    for _ in range(200):
        step.add(seen(0.9), 0.9, 0.9, 0.0)
        step.add(seen(1.4), 0.7, 0.7, 0.0)
    gains = [step.prospects(seen(0.5 + 0.01 * i))[0] for i in range(130)]
    assert max(abs(b - a) for a, b in pairwise(gains)) < 0.02


@given(st.floats(-1.7, 5.7))
def test_what_was_learned_of_a_step_counts_under_any_label_and_at_an_edge_each_bin_knows_its_part(x: float) -> None:
    step, at = Step(), seen(x)
    for label in (0, 1):
        for _ in range(100):
            step.add(replace(at, bins=bins_at(x, label)), 0.9, 0.9, 0.0)
    assert step.known(at) == pytest.approx(200 * at.doubt * sum(weight**2 for weight, _ in at.bins))
