"""The cascade: cheaper than its best model and no worse, within its budget, and exact about chance."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from random import Random
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from selector import Cascade
from selector.cascade.plan import STAGES
from selector.decisions import Answer, Decision, Feature, Prediction, Query, Selection
from selector.policies.cascade import CascadeState
from tests.benchmarks.model_failure import decide

COSTS = {"large:1": 10.0, "small:1": 1.0}
MODELS = tuple(COSTS)


class Item(NamedTuple):
    label: int
    said: dict[str, Prediction]
    features: dict[str, Feature]


World = Callable[[Random], Item]


def scored(rng: Random) -> Item:
    """The small model knows two thirds of the queries and when it does; the large one errs .1 at random."""
    label, knows = rng.randrange(4), rng.random() < 2 / 3
    small = Prediction(label if knows else rng.randrange(4), score=rng.uniform(0.7, 1.0) if knows else 0.4)
    large = Prediction(label if rng.random() < 0.9 else (label + 1) % 4, score=0.9)
    return Item(label, {"large:1": large, "small:1": small}, {})


def worded(rng: Random) -> Item:
    """Only the query tells whether the small model knows; no two labels are the same."""
    label, easy = rng.randrange(1 << 40), rng.random() < 0.5
    small = Prediction(label if easy else -label)
    features: dict[str, Feature] = {"prompt": f"this is {'easy' if easy else 'hard'} work"}
    return Item(label, {"large:1": Prediction(label), "small:1": small}, features)


def blind(rng: Random) -> Item:
    """The small model is right in eight of ten queries, the large one in 19 of 20 of those and 17 of 20 others."""
    label, easy = rng.randrange(4), rng.random() < 0.8
    small = Prediction(label if easy else (label + 1) % 4)
    large = Prediction(label if rng.random() < (0.95 if easy else 0.85) else (label + 2) % 4)
    return Item(label, {"large:1": large, "small:1": small}, {})


def marked(rng: Random) -> Item:
    """The query tells of seven in ten that they are easy: there the large model adds next to nothing, else much."""
    label, easy = rng.randrange(4), rng.random() < 0.7
    small = Prediction(label if rng.random() < (0.99 if easy else 0.5) else (label + 1) % 4)
    large = Prediction(label if rng.random() < (0.998 if easy else 0.85) else (label + 2) % 4)
    return Item(label, {"large:1": large, "small:1": small}, {"kind": "easy" if easy else "hard"})


def run(policy: Cascade, world: World, queries: int, seed: int) -> tuple[CascadeState, list[Decision], list[Item]]:
    state, rng = policy.initial_state(MODELS), Random(seed)
    decisions, items = [], []
    for i in range(queries):
        item = world(rng)
        decision = decide(policy, state, Query(i, MODELS, features=item.features), item.said, rng)
        losses = {m: float(said.output != item.label) for m, said in decision.predictions.items()}
        state = policy.observe(state, decision, losses)
        decisions.append(decision)
        items.append(item)
    return state, decisions, items


def mean_cost(decisions: list[Decision]) -> float:
    return sum(COSTS[model] for decision in decisions for model in decision.predictions) / len(decisions)


def test_it_asks_the_dear_model_only_where_the_cheap_one_is_unsure_and_is_no_worse() -> None:
    _, decisions, items = run(Cascade(costs=COSTS), scored, 3_000, seed=1)
    wrong = sum(d.answer.output != item.label for d, item in zip(decisions, items, strict=True))
    large = sum(item.said["large:1"].output != item.label for item in items)
    assert wrong / 3_000 <= large / 3_000 + 0.005
    assert mean_cost(decisions[1_500:]) < 7.0  # with hindsight 1 + 10 / 3; the large one alone takes 10


def test_a_budget_is_kept() -> None:
    for budget in (2.0, 5.0):
        _, decisions, _ = run(Cascade(costs=COSTS, budget=budget), scored, 3_000, seed=2)
        assert mean_cost(decisions) == pytest.approx(budget, rel=0.1)


def test_what_is_asked_only_to_learn_takes_no_more_than_a_twentieth_of_a_budget() -> None:
    _, decisions, _ = run(Cascade(costs=COSTS, budget=2.2, exploration=0.5), scored, 3_000, seed=7)
    drawn = [d.selections[-1].probability for d in decisions[100:] if d.selections[-1].probability < 1.0]
    assert drawn  # 2,900 chances of .01 come to nothing once in 10^12
    assert all(chance == pytest.approx(0.05 * 2.2 / 11.0) for chance in drawn)


def test_the_query_itself_tells_whom_to_ask() -> None:
    _, decisions, items = run(Cascade(costs=COSTS, budget=5.5), worded, 1_500, seed=3)
    late = list(zip(decisions, items, strict=True))[700:]
    right = sum(d.answer.output == item.label for d, item in late) / len(late)
    assert right > 0.9  # asking at random at this cost: about .75


def test_the_chance_of_a_shadow_is_the_one_that_is_logged() -> None:
    policy = Cascade(costs=COSTS, exploration=0.2)
    state, _, _ = run(policy, scored, 1_000, seed=4)
    query, first = Query(1, MODELS), Selection(("small:1",), 1.0)
    said, rng = {"small:1": Prediction(1, score=0.99)}, Random(5)
    drawn = [policy.select(state, query, [first], said, rng) for _ in range(4_000)]
    asked = [selection for selection in drawn if selection is not None]
    (chance,) = {selection.probability for selection in asked}
    assert 0.2 <= chance < 1.0
    assert abs(len(asked) / 4_000 - chance) < 5 * sqrt(chance * (1 - chance) / 4_000)


def test_what_is_lost_to_the_best_model_is_estimated_without_asking_it_each_time() -> None:
    policy = Cascade(costs=COSTS)
    state, decisions, items = run(policy, scored, 4_000, seed=6)
    wrong = sum(d.answer.output != item.label for d, item in zip(decisions, items, strict=True))
    large = sum(item.said["large:1"].output != item.label for item in items)
    told = policy.describe(state)
    known, always_asked = told["large:1"], told["small:1"]
    assert sum("large:1" in decision.predictions for decision in decisions) < 3_500
    assert 0.0 < known["excess_deviation"] < 0.02
    assert abs(known["excess"] - (wrong - large) / 4_000) < 4.5 * known["excess_deviation"]
    small = sum(item.said["small:1"].output != item.label for item in items)
    assert always_asked["excess"] == pytest.approx((wrong - small) / 4_000, abs=0.005)
    assert always_asked["excess_deviation"] == 0.0


def test_what_is_lost_where_it_stops_is_told_too() -> None:
    policy = Cascade(costs=COSTS, epsilon=0.2, exploration=0.05)
    state, decisions, items = run(policy, blind, 3_000, seed=6)
    wrong = sum(d.answer.output != item.label for d, item in zip(decisions, items, strict=True))
    large = sum(item.said["large:1"].output != item.label for item in items)
    told, lost = policy.describe(state)["large:1"], (wrong - large) / 3_000
    assert lost > 0.1
    assert 0.0 < told["excess_deviation"] < 0.02
    assert abs(told["excess"] - lost) < 4.5 * told["excess_deviation"]


def test_what_is_lost_where_the_query_tells_whom_to_ask_is_told_too() -> None:
    policy = Cascade(costs=COSTS)
    state, decisions, items = run(policy, marked, 8_000, seed=6)
    wrong = sum(d.answer.output != item.label for d, item in zip(decisions, items, strict=True))
    large = sum(item.said["large:1"].output != item.label for item in items)
    told, lost = policy.describe(state)["large:1"], (wrong - large) / 8_000
    assert sum("large:1" in decision.predictions for decision in decisions) < 4_000
    assert 0.0 < told["excess_deviation"] < 0.01
    assert abs(told["excess"] - lost) < 4.5 * told["excess_deviation"]


@pytest.mark.parametrize("policy", [Cascade(costs=COSTS), Cascade(costs=COSTS, budget=5.0)])
def test_nothing_is_told_of_what_is_lost_before_any_answer_or_where_a_budget_rules(policy: Cascade) -> None:
    queries = 0 if policy.budget is None else 300
    state, _, _ = run(policy, scored, queries, seed=6)
    assert all("excess" not in known for known in policy.describe(state).values())


def test_of_models_not_asked_only_those_queries_tell_that_came_that_way() -> None:
    policy, query = Cascade(costs=COSTS), Query(1, MODELS)
    state, decisions, _ = run(policy, scored, 600, seed=11)
    large, small = (1 << state.ids[model] for model in MODELS)
    first, shadow = Selection(("small:1",), 1.0), Selection(("large:1",), 0.1)
    assert policy.select(state, query, [], {}, Random(1)) == first
    before = policy.decode(policy.encode(state)).stages
    said = {"large:1": Prediction(1, score=0.9), "small:1": Prediction(2, score=0.4)}
    decision = Decision("", query, 0.0, "cascade", (first, shadow), said, decisions[-1].answer)
    after = policy.observe(state, decision, {"large:1": 0.0, "small:1": 1.0}).stages
    assert after[small].others != before[small].others
    assert after[large].others == before[large].others
    assert after[large].pool != before[large].pool


def test_where_all_are_asked_every_set_of_them_learns_also_those_that_the_plan_never_meets() -> None:
    policy = Cascade(costs={"a": 0.1, "b": 1.0, "c": 1.0})
    state, rng = policy.initial_state(("a", "b", "c")), Random(12)
    for i in range(60):
        said = {model: Prediction(i % 3, score=0.99) for model in ("a", "b", "c")}
        decision = decide(policy, state, Query(i, ("a", "b", "c")), said, rng)
        state = policy.observe(state, decision, dict.fromkeys(said, 0.0))
    pair = 1 << state.ids["b"] | 1 << state.ids["c"]
    assert state.stages[pair].pool.seen == 60


def test_every_row_of_all_models_teaches_each_set_of_up_to_four() -> None:
    policy, query = Cascade(costs={"a": 0.1, "b": 1.0, "c": 1.0}), Query(1, ("a", "b", "c"))
    state = policy.initial_state(query.available)
    for i in range(1_000):
        said = {model: Prediction(i % 3, score=0.99) for model in query.available}
        row = Decision("", query, 0.0, "ensemble", (Selection(query.available, 1.0),), said, Answer(i % 3))
        state = policy.observe(state, row, dict.fromkeys(said, 0.0))
    assert len(state.stages) == 8
    assert {stage.pool.seen for mask, stage in state.stages.items() if mask} == {1_000}


def test_of_rows_after_many_only_a_share_teaches_every_set() -> None:
    policy, query = Cascade(costs=COSTS), Query(1, MODELS)
    state = policy.initial_state(MODELS)
    state.decided = state.complete = 20_000
    said = dict.fromkeys(MODELS, Prediction(1, score=0.99))
    row = Decision("", query, 0.0, "ensemble", (Selection(MODELS, 1.0),), said, Answer(1))
    for _ in range(100):
        state = policy.observe(state, row, dict.fromkeys(said, 0.0))
    assert state.stages[1].pool.seen == pytest.approx(100 * 2_000 / 20_000, abs=1)
    assert state.stages[3].pool.seen == 100


@pytest.mark.parametrize("known", MODELS)
def test_rows_without_some_model_do_not_count_as_its_beginning(known: str) -> None:
    policy, query, rng = Cascade(costs=COSTS), Query(1, (known,)), Random(3)
    state = policy.initial_state(MODELS)
    for _ in range(1_000):
        item = scored(rng)
        row = Decision("", query, 0.0, "", (Selection((known,), 1.0),), {known: item.said[known]}, Answer(None))
        state = policy.observe(state, row, {known: float(item.said[known].output != item.label)})
    assert policy.select(state, Query(2, MODELS), [], {}, rng) == Selection(MODELS, 1.0)
    assert not state.samples
    assert not state.complete


def test_the_first_complete_rows_teach_every_set_however_many_others_came_before() -> None:
    policy, models = Cascade(costs=COSTS), (*MODELS, "new:1")
    state, _, _ = run(policy, scored, 300, seed=6)
    assert state.complete == 100
    state.decided = state.complete = 20_000
    state = policy.with_models(state, models)
    said = dict.fromkeys(models, Prediction(1, score=0.99))
    row = Decision("", Query(1, models), 0.0, "", (Selection(models, 1.0),), said, Answer(1))
    for _ in range(50):
        state = policy.observe(state, row, dict.fromkeys(said, 0.0))
    assert state.stages[1 << state.ids["new:1"]].pool.seen == 50


def test_an_answer_that_was_at_hand_unasked_does_not_make_a_query_one_for_every_set() -> None:
    policy = Cascade(costs=COSTS)
    state, _, _ = run(policy, scored, 600, seed=11)
    large = 1 << state.ids["large:1"]
    said = {"large:1": Prediction(1, score=0.9), "small:1": Prediction(1, score=0.9)}
    decision = Decision("", Query(1, MODELS), 0.0, "cascade", (Selection(("small:1",), 1.0),), said, Answer(1))
    before = state.stages[large].pool.seen
    for _ in range(10):
        state = policy.observe(state, decision, dict.fromkeys(said, 0.0))
    assert state.stages[large].pool.seen - before <= 1  # one in thirty-six is taken for a random query


def test_while_a_model_is_away_queries_of_all_are_not_forgotten() -> None:
    policy = Cascade(costs=COSTS)
    state, _, _ = run(policy, scored, 300, seed=8)
    remembered = list(state.samples)
    for i in range(300):
        decision = decide(policy, state, Query(i, ("small:1",)), {"small:1": Prediction(1, score=0.9)}, Random(i))
        state = policy.observe(state, decision, {"small:1": 0.0})
    assert state.samples == remembered


def test_what_a_model_says_while_it_is_left_out_teaches_nothing() -> None:
    """In quarantine it is asked all the same, to find out whether it still fails."""
    policy = Cascade(costs=COSTS)
    state, _, _ = run(policy, scored, 300, seed=8)
    decision = decide(policy, state, Query(301, ("small:1",)), {"small:1": Prediction(1, score=0.9)}, Random(9))
    probed = replace(decision, predictions=decision.predictions | {"large:1": Prediction(3)})
    states = [
        policy.observe(policy.decode(policy.encode(state)), *told)
        for told in ((decision, {"small:1": 0.0}), (probed, {"small:1": 0.0, "large:1": 1.0}))
    ]
    assert policy.encode(states[0]) == policy.encode(states[1])


def test_errors_are_estimated_again_of_one_model_at_a_time_and_of_each_before_long() -> None:
    state, _, _ = run(Cascade(costs=COSTS), scored, 500, seed=10)
    old = {account.old for account in state.ledger.accounts.values()}
    assert len(old) == 2
    assert max(old) <= 0.01 * 500 + 1


def test_reported_costs_count_instead_of_those_that_are_set() -> None:
    policy = Cascade(costs=COSTS)
    state = policy.initial_state(MODELS)
    said = {"large:1": Prediction(1, cost=3.0), "small:1": Prediction(1)}
    decision = Decision(
        "",
        Query(1, MODELS),
        0.0,
        "cascade",
        (Selection(MODELS, 1.0),),
        said,
        policy.combine(state, Query(1, MODELS), (Selection(MODELS, 1.0),), said),
    )
    state = policy.observe(state, decision, {"large:1": 0.0, "small:1": 0.0})
    assert policy.describe(state)["large:1"]["cost"] == 3.0
    assert state.ledger.spent == 4.0


def test_many_models_take_bounded_memory_and_time() -> None:
    models = tuple(f"m{i:02}" for i in range(12))
    policy, rng = Cascade(beginning=30), Random(7)
    state = policy.initial_state(models)
    for i in range(60):
        label = rng.randrange(3)
        said = {m: Prediction(label if rng.random() < 0.7 else rng.randrange(3), score=rng.random()) for m in models}
        decision = decide(policy, state, Query(i, models), said, rng)
        losses = {m: float(what.output != label) for m, what in decision.predictions.items()}
        state = policy.observe(state, decision, losses)
    assert len(state.stages) <= STAGES
