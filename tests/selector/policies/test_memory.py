"""What policies that ask one model remember: losses of the unasked, restarts, discount, window, probing."""

from __future__ import annotations

from random import Random

import pytest

from selector import UCB1, EpsilonGreedy, Thompson
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.policies.memory import Memory
from selector.policies.tally import Tally
from tests.benchmarks.model_failure import run_course
from tests.selector.test_model_failure import made
from tests.selector.worlds import MODELS, chance_of_so_few, trained

QUERY = Query(1, MODELS)
CNN = "cnn:1"


def decision(model: str = CNN) -> Decision:
    return Decision("", QUERY, 0.0, "ucb1", (Selection((model,), 1.0),), {model: Prediction(1)}, Answer(1))


def taught(policy: UCB1, *feedbacks: dict[str, float]) -> Memory:
    state = policy.initial_state(MODELS)
    for losses in feedbacks:
        state = policy.observe(state, decision(), losses)
    return state


def test_a_label_teaches_about_models_that_were_not_asked_unless_told_otherwise() -> None:
    known = {CNN: 1.0, "svm:1": 0.25}
    assert taught(UCB1(), known).tally == Tally(MODELS, [1, 0, 1], [1, 0, 0.25])
    assert taught(UCB1(unasked=False), known).tally == Tally(MODELS, [1, 0, 0], [1, 0, 0])


def test_a_discount_lets_the_past_count_less_at_every_feedback() -> None:
    state = taught(UCB1(discount=0.5), {CNN: 1.0}, {CNN: 0.0}, {"svm:1": 1.0})
    assert state.tally == Tally(MODELS, [0.75, 0, 1], [0.25, 0, 1])


def test_a_model_that_was_silent_for_very_long_under_a_discount_counts_as_new() -> None:
    policy = EpsilonGreedy(discount=0.5)
    state = policy.observe(policy.initial_state(MODELS), decision(CNN), {CNN: 1.0})
    for _ in range(1_200):
        state = policy.observe(state, decision("svm:1"), {"svm:1": 1.0})
    assert state.tally.counts[:2] == [0.0, 0.0]
    met = policy.blend(state, policy.initial_state(MODELS), 20.0)
    assert met.tally.counts == pytest.approx(state.tally.counts)


def test_a_window_forgets_all_but_the_latest_feedbacks() -> None:
    state = taught(UCB1(window=2), {CNN: 1.0, "svm:1": 1.0}, {CNN: 0.0}, {CNN: 0.5})
    assert state.tally == Tally(MODELS, [2, 0, 0], [0.5, 0, 0])


def test_in_a_window_a_discount_counts_the_later_feedbacks_for_more() -> None:
    state = taught(UCB1(window=2, discount=0.5), {CNN: 1.0}, {CNN: 0.0}, {CNN: 1.0}, {CNN: 0.0})
    assert state.tally == Tally(MODELS, [1.5, 0, 0], [0.5, 0, 0])


def test_a_window_that_a_restart_has_cut_still_adds_up() -> None:
    policy = UCB1(window=300, restart="cusum")
    state = policy.initial_state(MODELS)
    rng = Random(1)
    for i in range(1_500):
        losses = {CNN: float(rng.random() < (0.1 if i < 900 else 0.9)), "svm:1": float(rng.random() < 0.3)}
        state = policy.observe(state, decision(), losses)
        counted = [[loss for scores in state.latest for m, loss in scores if m == model] for model in (CNN, "svm:1")]
        assert [len(c) for c in counted] == pytest.approx([state.tally.counts[0], state.tally.counts[2]])
        assert [sum(c) for c in counted] == pytest.approx([state.tally.losses[0], state.tally.losses[2]])
    assert state.courses[0].failed


@pytest.mark.parametrize("restart", ["cusum", "page_hinkley", "betting"])
def test_a_model_that_changed_keeps_only_what_came_since(restart: str) -> None:
    policy = UCB1(restart=restart)  # type: ignore[arg-type]
    state = policy.initial_state(MODELS)
    for i in range(1_000):
        state = policy.observe(state, decision(), {CNN: float(i % 10 == 0), "svm:1": float(i % 3 == 0)})
    for _ in range(20):
        state = policy.observe(state, decision(), {CNN: 1.0, "svm:1": 0.0})
    assert state.tally.counts[0] <= 20
    assert state.tally.losses[0] == state.tally.counts[0]
    assert state.courses[0].failed
    assert state.tally.counts[2] == 1_020
    assert taught(UCB1(restart="none"), *[{CNN: 1.0}] * 50).tally.counts[0] == 50


def test_probing_and_exploration_ask_the_silent_and_no_others() -> None:
    policy = Thompson(exploration=0.03, probing=0.05)
    state = trained(policy, 400)
    state.clock, state.spared = 1_000.0, 0.0
    for course, heard, failed in zip(state.courses, (1_000.0, 0.0, 0.0), (False, False, True), strict=True):
        course.heard, course.failed = heard, failed
        course.watch.better = 0.0
    state.table = [1.0, 0.0, 0.0]
    assert policy.chances(state, QUERY) == pytest.approx([1 - 0.02 - 0.12, 0.02, 0.12])
    failure = state.courses[2].watch
    failure.better = 0.1  # it may have recovered
    failure.count, failure.loss, failure.recent_count, failure.recent_loss = 100.0, 90.0, 4.0, 1.0
    assert policy.chances(state, QUERY)[2] > 0.2
    failure.recent_loss = 3.0  # it has fallen, but not to where the best are
    assert policy.chances(state, QUERY)[2] == pytest.approx(0.12)
    state.spared = 0.7  # shadow queries tell as much
    assert policy.chances(state, QUERY) == pytest.approx([1, 0, 0])


def test_without_restarts_and_probing_the_chances_are_those_of_the_posteriors() -> None:
    policy = Thompson(unasked=False, restart="none", exploration=0, probing=0)
    state = trained(policy, 900)
    assert policy.chances(state, QUERY) == pytest.approx(state.table)


def errors(policy: Thompson | UCB1 | EpsilonGreedy, shadow_share: float, first: int, last: int) -> int:
    return sum(run_course(made(), policy, 1, shadow_share).errors[first:last])


def test_thompson_leaves_a_model_that_failed_and_comes_back_to_it() -> None:
    """The best model errs on .05, the second on .3; the best fails, with .75, from query 500 to 1,500."""
    assert chance_of_so_few(errors(Thompson(), 0, 600, 1_500), 900, 0.45) < 1e-3
    assert chance_of_so_few(errors(Thompson(), 0, 2_000, 2_500), 500, 0.2) < 1e-6


def test_with_shadow_queries_it_comes_back_sooner() -> None:
    assert chance_of_so_few(errors(Thompson(), 0.1, 1_700, 2_500), 800, 0.15) < 1e-6
    plain = Thompson(unasked=False, restart="none", exploration=0, probing=0)
    assert chance_of_so_few(800 - errors(plain, 0.1, 1_700, 2_500), 800, 0.9) < 1e-6


@pytest.mark.parametrize("policy", [UCB1(), EpsilonGreedy(epsilon=0)], ids=lambda policy: policy.name)
def test_the_others_come_back_with_shadow_queries_too(policy: UCB1 | EpsilonGreedy) -> None:
    assert chance_of_so_few(errors(policy, 0.1, 1_800, 2_500), 700, 0.2) < 1e-4
