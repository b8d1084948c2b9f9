"""UCB1 against its index, written out by hand."""

from __future__ import annotations

from math import log, sqrt
from random import Random

from selector import UCB1
from selector.decisions import Answer, Decision, Query, Selection
from selector.policies.memory import Memory
from selector.policies.tally import Tally
from tests.selector.worlds import MODELS, play

QUERY = Query(1, MODELS)


def test_it_asks_the_greatest_upper_bound() -> None:
    rng = Random(1)
    for _ in range(200):
        counts = [float(rng.randrange(1, 50)) for _ in MODELS]
        losses = [count * rng.random() for count in counts]
        bounds = [1 - x / n + sqrt(2 * log(sum(counts)) / n) for n, x in zip(counts, losses, strict=True)]
        selection = UCB1().select(Memory(Tally(MODELS, counts, losses)), QUERY, (), {}, rng)
        assert selection == Selection((MODELS[bounds.index(max(bounds))],), 1.0)


def test_models_without_feedback_come_first_each_as_likely() -> None:
    chances = UCB1().chances(Memory(Tally(MODELS, [1_000, 0, 0], [0, 0, 0])), QUERY)
    assert chances == [0, 1, 1]


def test_what_was_asked_and_not_judged_does_not_count() -> None:
    policy = UCB1()
    decision = Decision("", QUERY, 0.0, "ucb1", (Selection(("cnn:1",), 1.0),), {}, Answer(1))
    assert policy.observe(policy.initial_state(MODELS), decision, {}) == policy.initial_state(MODELS)


def test_every_model_is_tried_before_any_is_asked_again() -> None:
    policy = UCB1()
    _, log = play(policy, policy.initial_state(MODELS), 3, seed=1)
    assert {step.decision.selections[0].models[0] for step in log} == set(MODELS)


def test_less_than_one_feedback_from_the_population_is_no_trouble() -> None:
    policy = UCB1()
    state = policy.blend(Memory(Tally(MODELS, [10, 10, 10], [1, 5, 9])), policy.initial_state(MODELS), 0.5)
    assert policy.chances(state, QUERY) == [1, 0, 0]
