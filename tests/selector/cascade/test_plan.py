"""The plan: what is asked next, by what is known of what that brought."""

from __future__ import annotations

from math import log

import pytest

from selector.cascade.ledger import Ledger
from selector.cascade.plan import Plan
from selector.cascade.stage import Stage
from selector.cascade.view import NOTHING, View

IDS = {"first": 0, "cheap": 1, "dear": 2, "known": 3}
COSTS = {"first": 0.0, "cheap": 1.0, "known": 1.0, "dear": 5.0}
KEYS = (-1, 4, 36)
SEEN = View(1, "cat", 0.6, 0.6, 0.6, KEYS, ((1.0, KEYS),))


def a_plan(stage: Stage, costs: dict[str, float] = COSTS) -> Plan:
    """One unit of cost must buy .01 of accuracy."""
    ledger = Ledger().with_models(tuple(IDS), 5.0, False)
    ledger.price = log(0.01)
    return Plan({1: stage}, IDS, costs, dict.fromkeys(IDS, 0.8), ledger, None, 1.645, 0.01, {})


def a_stage(tried: int) -> Stage:
    """After the cheap model .75 was reached in so many queries, after the dear one .85 in a thousand."""
    stage = Stage()
    for _ in range(tried):
        stage.learn_step(SEEN, IDS["cheap"], 0.75, 0.75, 0.0)
    for _ in range(1_000):
        stage.learn_step(SEEN, IDS["dear"], 0.85, 0.85, 0.0)
    return stage


@pytest.mark.parametrize(("tried", "first"), [(0, "cheap"), (30, "cheap"), (70, "dear"), (1_000, "dear")])
def test_a_cheap_model_that_was_little_tried_comes_before_a_dear_one_that_seems_better(tried: int, first: str) -> None:
    stage = a_stage(tried)
    way = a_plan(stage).best(stage, SEEN, ["cheap", "dear"])
    assert way.model == first
    assert way.net == pytest.approx(0.85 - 0.05, abs=0.01)


@pytest.mark.parametrize(("cost", "first"), [(0.0, "first"), (0.04, "first"), (0.06, "dear")])
def test_at_first_what_costs_a_hundredth_of_the_best_is_asked_however_poor_it_is(cost: float, first: str) -> None:
    stage = Stage()
    for model, right in (("first", 0.3), ("dear", 0.85)):
        for _ in range(1_000):
            stage.learn_step(NOTHING, IDS[model], right, right, 0.0)
    assert a_plan(stage, COSTS | {"first": cost}).best(stage, NOTHING, ["first", "dear"]).model == first


def test_hope_is_for_what_costs_less() -> None:
    stage = Stage()
    for _ in range(1_000):
        stage.learn_step(SEEN, IDS["cheap"], 0.85, 0.85, 0.0)
    for _ in range(30):
        stage.learn_step(SEEN, IDS["dear"], 0.85, 0.85, 0.0)
    assert a_plan(stage).best(stage, SEEN, ["cheap", "dear"]).model == "cheap"


def test_of_two_cheaper_ones_that_is_asked_of_which_more_is_hoped() -> None:
    stage = a_stage(30)
    for _ in range(300):
        stage.learn_step(SEEN, IDS["known"], 0.79, 0.79, 0.0)
    for order in (["cheap", "known", "dear"], ["known", "cheap", "dear"]):
        assert a_plan(stage).best(stage, SEEN, order).model == "cheap"


def test_nothing_is_hoped_of_a_cheap_model_for_what_the_dear_one_does_after_it() -> None:
    stage = a_stage(0)
    for _ in range(1_000):
        stage.learn_step(SEEN, IDS["cheap"], SEEN.confidence, 0.85, 5.0)
    assert a_plan(stage).best(stage, SEEN, ["cheap", "dear"]).model == "dear"


@pytest.mark.parametrize(("further", "first"), [(0.5, "cheap"), (2.0, "cheap"), (4.5, "dear")])
def test_what_follows_a_cheap_model_is_hoped_for_as_far_as_it_takes_less_than_the_dear_one(
    further: float, first: str
) -> None:
    """What is known of it, 30 times asked, is always that its net is .79, and that of the dear one .80."""
    stage = a_stage(0)
    for _ in range(30):
        stage.learn_step(SEEN, IDS["cheap"], 0.6, 0.79 + 0.01 * (1.0 + further), further)
    assert a_plan(stage).best(stage, SEEN, ["cheap", "dear"]).model == first


def test_the_deviation_is_that_of_the_mean_of_as_many_outcomes() -> None:
    stage = a_stage(1_000)
    d, n = SEEN.doubt, 1_000
    assert stage.deviation(SEEN, IDS["cheap"]) == pytest.approx((d * (1 - d) / n) ** 0.5, rel=0.02)
