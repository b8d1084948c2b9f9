"""Means that are shrunk from coarse to fine."""

from __future__ import annotations

import pytest

from selector.cascade.cells import Cells


def test_a_mean_is_shrunk_to_the_coarser_one() -> None:
    cells = Cells()
    for target in (1.0, 1.0, 0.0, 0.0):
        cells.add([-1], target, 1.0, 100.0)
    cells.add([-1, 5], 1.0, 1.0, 100.0)
    coarse = (3 + 4 * 0.5) / (5 + 4)
    assert cells.mean([-1], 0.5, 4.0) == pytest.approx(coarse)
    assert cells.mean([-1, 5], 0.5, 4.0) == pytest.approx((1 + 4 * coarse) / (1 + 4))
    assert cells.mean([-1, 6], 0.5, 4.0) == cells.mean([-1], 0.5, 4.0)


def test_old_targets_fade() -> None:
    cells = Cells()
    for target in [0.0] * 500 + [1.0] * 300:
        cells.add([0], target, 1.0, 50.0)
    assert cells.mean([0], 0.0, 1.0) > 0.95


def test_no_more_cells_than_can_be_remembered() -> None:
    cells = Cells()
    for key in range(5_000):
        cells.add([key], 1.0, 1.0, 50.0)
    assert len(cells.cells) == 1024
