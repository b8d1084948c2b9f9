"""The laws that every policy obeys, applied to all that there are."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, permutations
from math import inf
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from selector import AnyPolicy
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.policy import Policy
from tests.selector.worlds import (
    CHANCE,
    CLASSIFIERS,
    LEARNERS,
    MODELS,
    POLICIES,
    chance_of_so_few,
    fold,
    play,
    title,
    trained,
)

QUERY = Query(1, MODELS, user="ann", features={"length": 3})
NAMES = ("cnn:1", "forest:1", "svm:1", "gone:1")
STRANGE_LABELS = st.sampled_from([1, True, 1.0, 0, -0.0, "1", "", -(2**63), 1e308, 5e-324])
STRANGE = st.builds(
    Prediction,
    STRANGE_LABELS,
    st.none() | st.floats(0, 1),
    st.none() | st.lists(st.tuples(STRANGE_LABELS, st.floats(0, 1)), max_size=3).map(tuple),
)

every_policy = pytest.mark.parametrize("policy", POLICIES, ids=title)
every_classifier = pytest.mark.parametrize("policy", CLASSIFIERS, ids=title)
every_learner = pytest.mark.parametrize("policy", LEARNERS, ids=title)


def choices(policy: Policy[Any], state: Any, query: Query, draws: int, seed: int = 1) -> list[Selection | None]:
    rng = Random(seed)
    return [policy.select(state, query, (), {}, rng) for _ in range(draws)]


def own_of(policy: Policy[Any], queries: int, seed: int) -> Any:
    """The state of a user from whom all these queries are."""
    _, log = play(policy, policy.initial_state(MODELS), queries, seed)
    return fold(policy.personal, policy.personal.initial_state(MODELS), log)


@every_policy
def test_settings_survive_their_encoding(policy: Policy[Any]) -> None:
    assert msgspec.json.decode(policy.settings, type=AnyPolicy) == policy


@every_policy
def test_a_state_survives_its_encoding(policy: Policy[Any]) -> None:
    state, _ = play(policy, policy.initial_state(MODELS), 250, seed=1)
    decoded = policy.decode(policy.encode(state))
    assert policy.encode(decoded) == policy.encode(state)
    assert choices(policy, decoded, QUERY, 50) == choices(policy, state, QUERY, 50)


@every_policy
def test_who_asks_on_after_the_first_round_says_so(policy: Policy[Any]) -> None:
    _, log = play(policy, policy.initial_state(MODELS), 250, seed=3)
    assert any(len(step.decision.selections) > 1 for step in log) == policy.asks_on


@every_policy
def test_models_that_join_a_void_make_the_initial_state(policy: Policy[Any]) -> None:
    joined, initial = policy.with_models(policy.initial_state(()), MODELS), policy.initial_state(MODELS)
    assert joined == initial
    assert policy.encode(joined) == policy.encode(initial)


@every_policy
def test_the_same_seed_makes_the_same_choices(policy: Policy[Any]) -> None:
    states = [play(policy, policy.initial_state(MODELS), 250, seed=1)[0] for _ in range(2)]
    assert choices(policy, states[0], QUERY, 50, seed=7) == choices(policy, states[1], QUERY, 50, seed=7)


@pytest.mark.parametrize("feedbacks", [0, 12])
@pytest.mark.parametrize("available", [MODELS, ("cnn:1", "svm:1"), ("cnn:1", "forest:1", "new:1")], ids=len)
@every_classifier
def test_probabilities_are_those_of_the_choices(
    policy: Policy[Any], available: tuple[str, ...], feedbacks: int
) -> None:
    state, draws = trained(policy, feedbacks), 4_000
    drawn = choices(policy, state, Query(1, available, user="ann"), draws)
    seen = Counter(selection for selection in drawn if selection is not None)
    probabilities = {selection.models: selection.probability for selection in seen}
    assert len(probabilities) == len(seen)  # one probability for one choice
    total = sum(probabilities.values())
    assert total <= 1 + 1e-9
    unseen_with_chance_below = 1 - 1e-9 ** (1 / draws)
    assert total >= 1 - len(available) * unseen_with_chance_below
    if len(seen) > 1:
        assert chisquare(list(seen.values()), [s.probability * draws / total for s in seen]).pvalue > 1e-6


@every_policy
def test_only_available_models_are_asked(policy: Policy[Any]) -> None:
    state = trained(policy)
    for available in (("cnn:1",), ("cnn:1", "svm:1"), ("cnn:1", "new:1")):
        for selection in choices(policy, state, Query(1, available), 20):
            assert selection is not None
            assert set(selection.models) <= set(available)
    assert choices(policy, state, Query(1, ()), 1) == [None]


@every_policy
def test_nobody_is_asked_twice(policy: Policy[Any]) -> None:
    state, rng = trained(policy), Random(1)
    first = policy.select(state, QUERY, (), {}, rng)
    assert first is not None
    said = {model: Prediction(1) for model in first.models}
    second = policy.select(state, QUERY, (first,), said, rng)
    assert second is None or not set(second.models) & set(first.models)


@every_policy
def test_reading_a_state_does_not_change_it(policy: Policy[Any]) -> None:
    state, other = trained(policy), own_of(policy, 250, seed=2)
    before = policy.encode(state), policy.personal.encode(other)
    for query in (QUERY, Query(2, ("cnn:1", "new:1"))):
        for selection in choices(policy, state, query, 5):
            assert selection is not None
            policy.combine(state, query, (selection,), {model: Prediction(1) for model in selection.models})
    blended = policy.blend(state, other, 10.0)
    policy.describe(state)
    policy.with_models(state, ("cnn:1", "new:1"))
    if blended is not state and policy.personal is policy:
        fold(policy, blended, play(policy, policy.initial_state(MODELS), 20, seed=3)[1])
    assert (policy.encode(state), policy.personal.encode(other)) == before


@every_policy
def test_the_order_of_models_does_not_matter(policy: Policy[Any]) -> None:
    state, [step] = play(policy, policy.initial_state(MODELS), 1, seed=5)
    decision, losses, _ = step
    encoded = policy.encode(state)
    for order in permutations(losses):
        turned = msgspec.structs.replace(decision, predictions={m: decision.predictions[m] for m in order})
        again = policy.observe(policy.initial_state(MODELS[::-1]), turned, {m: losses[m] for m in order})
        assert policy.encode(again) == encoded


@every_policy
def test_folds_of_the_same_log_are_equal_byte_for_byte(policy: Policy[Any]) -> None:
    state, log = play(policy, policy.initial_state(MODELS), 230, seed=3, delay=7)
    refolded = fold(policy, policy.initial_state(MODELS), log)
    snapshot = policy.encode(fold(policy, policy.initial_state(MODELS), log[:137]))
    resumed = fold(policy, policy.decode(snapshot), log[137:])
    assert policy.encode(state) == policy.encode(refolded) == policy.encode(resumed)


@every_policy
def test_models_leave_and_come_back(policy: Policy[Any]) -> None:
    state, log = play(policy, policy.initial_state(MODELS), 40, seed=4)
    state = policy.with_models(state, ("cnn:1", "svm:1"))
    assert set(policy.describe(state)) == {"cnn:1", "svm:1"}
    state = fold(policy, state, log)  # feedback about a model that has left
    state = policy.with_models(state, ("cnn:1", "forest:1", "svm:1"))
    assert set(policy.describe(state)) == set(MODELS)
    state = fold(policy, state, log)
    assert all(selection is not None for selection in choices(policy, state, QUERY, 20))


@every_policy
def test_new_users_are_answered_after_every_model_was_replaced(policy: Policy[Any]) -> None:
    newer = ("cnn:2", "forest:2", "svm:2")
    population = policy.with_models(trained(policy, 40), newer)
    nobody = policy.personal.with_models(policy.personal.initial_state(MODELS), newer)
    query = Query(1, newer)
    for strength in (1.0, inf):
        for selection in choices(policy, policy.blend(population, nobody, strength), query, 5):
            assert selection is not None
            assert 0 < selection.probability <= 1


@every_policy
def test_feedback_about_unknown_models_changes_nothing(policy: Policy[Any]) -> None:
    state = trained(policy)
    before = policy.encode(state)
    query, asked = Query(1, ("gone:1", *MODELS)), (Selection(("gone:1",), 0.5),)
    decision = Decision("", query, 0.0, policy.name, asked, {"gone:1": Prediction(1)}, Answer(1))
    assert policy.encode(policy.observe(state, decision, {"gone:1": 1.0})) == before


@every_policy
def test_a_description_tells_each_models_share(policy: Policy[Any]) -> None:
    for state in (policy.initial_state(MODELS), trained(policy)):
        described = policy.describe(state)
        assert list(described) == sorted(MODELS)
        assert sum(model["weight"] for model in described.values()) == pytest.approx(1)
        assert all(0 <= model.get("loss", 0) <= 1 and model["count"] >= 0 for model in described.values())
    assert policy.describe(policy.initial_state(())) == {}


@every_policy
def test_missing_predictions_lower_the_confidence(policy: Policy[Any]) -> None:
    state = trained(policy)
    selection = policy.select(state, QUERY, (), {}, Random(1))
    assert selection is not None
    confidences = []
    for arrived in range(len(selection.models), -1, -1):
        said = {model: Prediction(2, score=0.5) for model in selection.models[:arrived]}
        answer = policy.combine(state, QUERY, (selection,), said)
        assert answer.output == (2 if arrived else None)
        confidences.append(answer.confidence or 0.0)
    assert all(0 <= less < more <= 1 for more, less in pairwise(confidences))
    assert policy.combine(state, QUERY, (), {}) == Answer(None)


@every_classifier
def test_the_answer_is_what_some_model_said(policy: Policy[Any]) -> None:
    _, log = play(policy, policy.initial_state(MODELS), 50, seed=6)
    for step in log:
        said = {prediction.output for prediction in step.decision.predictions.values()}
        assert step.decision.answer.output in said


@every_classifier
def test_memory_is_bounded(policy: Policy[Any]) -> None:
    """What would grow with each query would double from the 5,000th to the 10,000th."""
    state, log = play(policy, policy.initial_state(MODELS), 999, seed=8)
    sizes = [len(policy.encode(state))]
    for _ in range(9):
        state = fold(policy, state, log)
        sizes.append(len(policy.encode(state)))
    assert sizes[9] <= 1.1 * sizes[4]


@pytest.mark.parametrize("delay", [1, 60], ids=["at once", "late and interleaved"])
@every_learner
def test_regret_falls(policy: Policy[Any], delay: int) -> None:
    _, log = play(policy, policy.initial_state(MODELS), 3_000, seed=9, delay=delay)
    errors = sum(step.wrong for step in log if step.decision.query.id >= 2_000)
    assert chance_of_so_few(errors, 1_000, CHANCE) < 1e-9


@every_policy
def test_a_policy_learns_from_what_it_says(policy: Policy[Any]) -> None:
    decision = Decision("", QUERY, 0.0, policy.name, (Selection(("cnn:1",), 0.5),), {"cnn:1": Prediction(1)}, Answer(1))
    states = [
        policy.encode(policy.observe(policy.initial_state(MODELS), decision, losses))
        for losses in ({}, {"cnn:1": 1.0}, {"cnn:1": 1.0, "svm:1": 0.5})
    ]
    unchanged, asked, everyone = (state == policy.encode(policy.initial_state(MODELS)) for state in states)
    assert unchanged
    assert asked == everyone == (policy.learns_from == "nothing")
    assert (states[1] == states[2]) == (policy.learns_from != "labels")


@every_policy
@pytest.mark.parametrize("strength", [1.0, 20.0, inf])
def test_a_new_user_is_answered_as_the_population_is(policy: Policy[Any], strength: float) -> None:
    population, nobody = trained(policy, 400), policy.personal.initial_state(MODELS)
    met = policy.blend(population, nobody, strength)
    for query in (QUERY, Query(2, MODELS[:2])):
        for chosen, expected in zip(*(choices(policy, state, query, 20) for state in (met, population)), strict=True):
            assert chosen is not None
            assert expected is not None
            assert chosen.models == expected.models
            assert chosen.probability == pytest.approx(expected.probability, rel=0.02)  # a table may be a little old
    described, everyones = policy.describe(met), policy.describe(population)
    assert all(described[model] == pytest.approx(everyones[model], abs=0.01) for model in MODELS)


@every_policy
def test_a_user_ends_as_oneself(policy: Policy[Any]) -> None:
    population, nobody, own = trained(policy, 400), policy.initial_state(MODELS), own_of(policy, 50, seed=2)
    if not policy.per_user:
        assert policy.blend(population, own, 10.0) is population
        return
    if policy.personal is policy:
        assert policy.encode(policy.blend(nobody, own, 10.0)) == policy.encode(policy.with_models(own, MODELS))
    mean, everyones, owns = (
        {model: known["loss"] for model, known in study.describe(state).items()}
        for study, state in (
            (policy, policy.blend(population, own, 10.0)),
            (policy, population),
            (policy.personal, own),
        )
    )
    for model in MODELS:  # between the two, and the nearer to one's own the less everyone counts
        low, high = sorted((everyones[model], owns[model]))
        assert low - 1e-9 <= mean[model] <= high + 1e-9
    alone = policy.describe(policy.blend(population, own, 1e-6))
    assert {model: alone[model]["loss"] for model in MODELS} == pytest.approx(owns, abs=1e-4)


@every_policy
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_log_is_too_strange_to_fold(policy: Policy[Any], data: st.DataObject) -> None:
    state = policy.initial_state(MODELS)
    for _ in range(data.draw(st.integers(1, 5))):
        asked = data.draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
        probability = data.draw(st.sampled_from([0.0, 5e-324, 1e-12, 0.3, 1.0]))
        losses = data.draw(st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1)))
        query = Query(1, data.draw(st.sampled_from([MODELS, (), ("gone:1", "svm:1")])), features={"length": 3})
        said = data.draw(st.dictionaries(st.sampled_from(NAMES), STRANGE))
        selections = (Selection(tuple(asked), probability),) if asked else ()
        state = policy.observe(state, Decision("", query, 0.0, "exp3", selections, said, Answer(None)), losses)
    selection = policy.select(state, QUERY, (), {}, Random(1))
    assert selection is not None
    assert 0 < selection.probability <= 1
    assert policy.encode(policy.decode(policy.encode(state))) == policy.encode(state)
