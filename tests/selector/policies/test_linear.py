"""Linear bandits: exact probabilities, regret on a linear problem, models that fail and recover, equal bytes."""

from __future__ import annotations

from random import Random

import msgspec
import numpy as np
import pytest
from scipy.stats import binom

from selector import LinearThompson, LinUCB
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.features import Array
from selector.policies.best_arm import chances_of_greatest
from selector.policies.levels import beginning
from selector.policies.linear import Linear
from selector.policies.linear_state import LinearState
from selector.policies.regressions import Regressions
from tests.selector.worlds import MODELS, chance_of_so_few, fold, play

DRAWS = 200_000
KINDS = [LinUCB(), LinearThompson()]
both = pytest.mark.parametrize("policy", KINDS, ids=lambda policy: policy.name)


def told(policy: Linear, state: LinearState, query: Query, losses: dict[str, float], asked: str) -> LinearState:
    said = {model: Prediction(1) for model in losses}
    decision = Decision("", query, 0.0, policy.name, (Selection((asked,), 0.5),), said, Answer(1))
    return policy.observe(state, decision, losses)


def asked(policy: Linear, state: LinearState, query: Query, rng: Random) -> str:
    selection = policy.select(state, query, (), {}, rng)
    assert selection is not None
    return selection.models[0]


@pytest.mark.parametrize(
    ("means", "deviations"),
    [
        ([0.5] * 5, [1.0] * 5),
        ([0.9, 0.85, 0.7, 0.2], [0.1, 0.15, 0.3, 0.5]),
        ([0.9, 0.9001, 0.89], [1e-4, 1e-4, 1.0]),
        ([0.0, -3.0, 1e-9], [1e-9, 2.0, 1e-9]),
        ([0.3, 0.6], [0.2, 0.1]),
    ],
    ids=["alike", "mixed", "narrow and wide", "hardly apart", "two"],
)
def test_chances_of_being_the_greatest_agree_with_sampling(means: list[float], deviations: list[float]) -> None:
    draws = np.random.default_rng(1).normal(means, deviations, size=(DRAWS, len(means)))
    best = np.bincount(draws.argmax(axis=1), minlength=len(means))
    for chance, count in zip(chances_of_greatest(means, deviations), best, strict=True):
        assert min(binom.cdf(count, DRAWS, chance), binom.sf(count - 1, DRAWS, chance)) > 1e-7


def test_logged_probabilities_are_those_of_sampling_theta_and_level() -> None:
    policy = LinearThompson(scale=0.5, exploration=0, drifts=(0.01,))
    state, _ = play(policy, policy.initial_state(MODELS), 60, seed=1)
    query = Query(1, MODELS, user="u3", features={"length": 4, "language": "en"})
    x, rng = state.features.vector(query), np.random.default_rng(1)
    scores = []
    for i, theta in enumerate(state.regressions.theta):
        root = np.linalg.cholesky(state.regressions.inverse[i])
        thetas = theta + 0.5 * rng.standard_normal((DRAWS, len(x))) @ root.T
        levels = rng.normal(state.levels.levels[0][i], 0.5 * state.levels.variances[0][i] ** 0.5, size=DRAWS)
        scores.append(thetas @ x + levels)
    best = np.bincount(np.argmax(scores, axis=0), minlength=len(MODELS))
    for chance, count in zip(policy.chances(state, query), best, strict=True):
        assert min(binom.cdf(count, DRAWS, chance), binom.sf(count - 1, DRAWS, chance)) > 1e-7


def test_levels_stay_where_they_are_unless_they_move() -> None:
    rng = Random(1)
    steady, moving = (beginning((0.0, 0.001, 0.01, 0.1)).of([None]) for _ in range(2))
    for i in range(3_000):
        for levels, mean in ((steady, 0.0), (moving, 0.5 * (i // 100 % 2))):
            levels.tick()
            levels.learn(0, rng.gauss(mean, 0.3), 0.01)
    assert steady.best == 0
    assert moving.drifts[moving.best] >= 0.01
    assert moving.levels[moving.best][0] == pytest.approx(0.5, abs=0.2)


def test_the_regression_is_ridge_regression() -> None:
    rng, d = np.random.default_rng(1), 6
    regressions = Regressions(2.0).of([None], d)
    xs, rewards = rng.normal(size=(50, d)), rng.random(50)
    for x, reward in zip(xs, rewards, strict=True):
        regressions.learn([0], x, np.array([reward]))
    prior = np.eye(d)[0]
    a = 2.0 * np.eye(d) + xs.T @ xs
    assert regressions.inverse[0] == pytest.approx(np.linalg.inv(a))
    assert regressions.theta[0] == pytest.approx(np.linalg.solve(a, xs.T @ rewards + 2.0 * prior))


def test_what_fades_tends_to_where_it_began() -> None:
    regressions = Regressions(2.0).of([None, None], 6)
    for x in np.random.default_rng(1).normal(size=(50, 6)):
        regressions.learn([0], x, np.zeros(1))
    for _ in range(600):
        regressions.fade(0.97)
    assert regressions.theta == pytest.approx(Regressions(2.0).of([None, None], 6).theta, abs=1e-3)
    assert np.linalg.eigvalsh(regressions.inverse[0]) == pytest.approx([0.5] * 6, rel=0.2)


def test_discounted_regression_weighs_the_latest() -> None:
    """Against A = sum of discount^age x x^T + ridge I; the ridge comes back in turns, so only about equal."""
    rng, d, discount = np.random.default_rng(2), 4, 0.95
    regressions = Regressions(1.0).of([None], d)
    a, b = np.eye(d), np.eye(d)[0].copy()
    for _ in range(300):
        x, reward = rng.normal(size=d), float(rng.random())
        regressions.fade(discount)
        regressions.learn([0], x, np.array([reward]))
        a, b = discount * a + (1 - discount) * np.eye(d), discount * b + (1 - discount) * np.eye(d)[0]
        a, b = a + np.outer(x, x), b + reward * x
    assert regressions.inverse[0] == pytest.approx(np.linalg.inv(a), abs=0.01)
    assert regressions.theta[0] == pytest.approx(np.linalg.solve(a, b), abs=0.05)


@both
def test_regret_on_a_linear_problem_falls_to_a_tenth(policy: Linear) -> None:
    """Five models whose success is linear in four numbers; one that asks at random loses .2 a query."""
    rng, thetas = Random(1), np.random.default_rng(1).normal(size=(5, 4)) / 4
    models = tuple(f"m{i}" for i in range(5))
    state, regrets, chance = policy.initial_state(models), [], []
    for i in range(4_000):
        numbers = [rng.uniform(-1, 1) for _ in range(4)]
        rewards = np.clip(0.5 + thetas @ numbers, 0, 1)
        query = Query(i, models, features={f"x{j}": 100 * v + 7 for j, v in enumerate(numbers)})
        model = asked(policy, state, query, rng)
        reward = float(rewards[models.index(model)])
        regrets.append(float(rewards.max()) - reward)
        chance.append(float(rewards.max() - rewards.mean()))
        state = told(policy, state, query, {model: float(rng.random() >= reward)}, model)
    assert sum(regrets[3_000:]) < 0.2 * sum(chance[3_000:])
    assert sum(regrets[3_000:]) < 0.6 * sum(regrets[:1_000])


@both
@pytest.mark.parametrize("delay", [1, 40])
def test_a_model_that_failed_is_left_and_found_again(policy: Linear, delay: int) -> None:
    rng, models = Random(1), ("cnn:1", "svm:1")
    state = policy.initial_state(models)
    waiting, wrong = list[tuple[Query, str, float]](), list[float]()
    for i in range(9_000):
        errors = {"cnn:1": 0.9 if 2_000 <= i < 4_000 else 0.05, "svm:1": 0.4}
        query = Query(i, models, features={"length": i % 7})
        model = asked(policy, state, query, rng)
        wrong.append(float(rng.random() < errors[model]))
        waiting.append((query, model, wrong[-1]))
        if len(waiting) == delay:
            for late, which, loss in waiting:
                state = told(policy, state, late, {which: loss}, which)
            waiting.clear()
    assert chance_of_so_few(int(sum(wrong[1_000:2_000])), 1_000, 0.1) < 1e-3
    assert chance_of_so_few(int(sum(wrong[2_500:4_000])), 1_500, 0.5) < 1e-3
    assert chance_of_so_few(int(sum(wrong[6_000:])), 3_000, 0.1) < 1e-3


@both
def test_a_model_that_joins_is_tried(policy: Linear) -> None:
    state, log = play(policy, policy.initial_state(("cnn:1", "svm:1")), 500, seed=1, available=("cnn:1", "svm:1"))
    state, rng = policy.with_models(state, ("cnn:1", "new:1", "svm:1")), Random(1)
    tried = sum(
        asked(policy, state, Query(i, ("cnn:1", "new:1", "svm:1"), features={"length": i % 5}), rng) == "new:1"
        for i in range(100)
    )
    assert tried > 20
    assert log


@both
def test_a_state_that_was_saved_goes_on_byte_for_byte(policy: Linear) -> None:
    for kind in (policy, msgspec.structs.replace(policy, discount=0.99, dimension=8)):
        state, log = play(kind, kind.initial_state(MODELS), 300, seed=1)
        for cut in (1, 77, 200):
            half = kind.decode(kind.encode(fold(kind, kind.initial_state(MODELS), log[:cut])))
            assert kind.encode(fold(kind, half, log[cut:])) == kind.encode(state)


@both
def test_bytes_that_do_not_fit_are_refused(policy: Linear) -> None:
    state, _ = play(policy, policy.initial_state(MODELS), 30, seed=1)
    record = state.record()
    record.theta += bytes(8)
    with pytest.raises(msgspec.ValidationError):
        policy.decode(msgspec.msgpack.encode(record))


@both
def test_a_dear_model_is_asked_where_its_price_is_worth_it(policy: Linear) -> None:
    """The cheap one is right on short queries, the dear one, which costs .3 of a reward, on all."""
    priced = msgspec.structs.replace(policy, price=0.1, costs={"cheap": 0.0, "dear": 3.0})
    models, rng = ("cheap", "dear"), Random(1)
    state = priced.initial_state(models)
    chosen = dict[str, list[str]](short=[], long=[])
    for i in range(1_000):
        size = ("short", "long")[i % 2]
        query = Query(i, models, features={"size": size})
        model = asked(priced, state, query, rng)
        chosen[size].append(model)
        state = told(priced, state, query, {model: float(model == "cheap" and size == "long")}, model)
    assert chosen["short"][250:].count("cheap") > 240
    assert chosen["long"][250:].count("dear") > 240
    assert priced.encode(state) == policy.encode(state)


def test_linucb_asks_whoever_may_be_the_greatest() -> None:
    policy = LinUCB(alpha=2, exploration=0, novelty=0)
    means: Array = np.array([0.5, 0.8, 0.5])
    assert list(policy.preferences(means, np.array([0.1, 0.1, 0.4]), [9, 9, 9])) == [0, 0, 1]
    assert list(policy.preferences(means, np.array([0.4, 0.1, 0.4]), [9, 9, 9])) == [0.5, 0, 0.5]


def test_one_early_error_does_not_lock_a_model_out_but_four_do() -> None:
    policy, models, wrong = LinUCB(exploration=0, drifts=(0.0,)), ("fair", "unlucky"), 1.0
    state = told(policy, policy.initial_state(models), Query(1, models), {"unlucky": wrong}, "unlucky")
    for i in range(50):
        state = told(policy, state, Query(i, models), {"fair": wrong if i % 5 == 0 else 0.0}, "fair")
    plain = msgspec.structs.replace(policy, novelty=0)
    assert plain.chances(state, Query(1, models)) == [1, 0]
    assert policy.chances(state, Query(1, models)) == [0, 1]
    for i in range(3):
        state = told(policy, state, Query(i, models), {"unlucky": wrong}, "unlucky")
    assert policy.chances(state, Query(1, models)) == [1, 0]


def test_a_model_whose_feedback_fades_is_not_new_again() -> None:
    policy, models = LinUCB(exploration=0, discount=0.9), ("often", "seldom")
    state = policy.initial_state(models)
    for i in range(100):
        model = "seldom" if i % 20 == 0 else "often"
        state = told(policy, state, Query(i, models), {model: 0.0}, model)
    assert state.tally.of(models)[0][1] < 1
    assert policy.decode(policy.encode(state)).scores(("new", *models)) == [0, 95, 5]


@both
def test_who_has_long_been_silent_is_asked_now_and_then_unless_shadows_tell(policy: Linear) -> None:
    sure = msgspec.structs.replace(policy, exploration=0.02, drifts=(0.0,))
    silent = sure.initial_state(("a", "b"))
    shadowed = sure.initial_state(("a", "b"))
    for i in range(400):
        query = Query(i, ("a", "b"))
        silent = told(sure, silent, query, {"a": 0.0, **({"b": 1.0} if i < 200 else {})}, "a")
        shadowed = told(sure, shadowed, query, {"a": 0.0, "b": 1.0}, "a")
    assert sure.chances(silent, Query(1, ("a", "b")))[1] == pytest.approx(0, abs=1e-9)  # shadows of late still count
    for i in range(3_000):
        silent = told(sure, silent, Query(i, ("a", "b")), {"a": 0.0}, "a")
    assert sure.chances(silent, Query(1, ("a", "b")))[1] == pytest.approx(2 * 0.02 / 2, abs=2e-3)
    assert sure.chances(shadowed, Query(1, ("a", "b")))[1] == pytest.approx(0, abs=1e-9)
