"""The draw of one model: in proportion to the weights, and never one whose weight is 0."""

from __future__ import annotations

from math import nextafter
from random import Random

import pytest

from selector.decisions import Selection
from selector.policies.single import draw


class Fixed(Random):
    """Draws the same number over and over."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def random(self) -> float:
        return self.number


@pytest.mark.parametrize(
    ("number", "chosen"), [(0.0, "b"), (0.24, "b"), (0.26, "d"), (nextafter(1.0, 0.0), "d")], ids=str
)
def test_each_model_is_drawn_on_its_part_of_the_line(number: float, chosen: str) -> None:
    drawn = draw(("a", "b", "c", "d", "e"), [0.0, 1.0, 0.0, 3.0, 0.0], Fixed(number))
    assert drawn == Selection((chosen,), 0.25 if chosen == "b" else 0.75)


@pytest.mark.parametrize("weights", [[5e-324, 0.0], [1.0, 1e-17, 0.0], [0.1, 0.2, 0.3, 0.0]], ids=str)
def test_rounding_draws_no_model_that_cannot_be(weights: list[float]) -> None:
    models = tuple(f"m{i}" for i in range(len(weights)))
    drawn = draw(models, weights, Fixed(nextafter(1.0, 0.0)))
    assert drawn.probability > 0
