"""The laws of the states, whatever happens."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from selector.decisions import Prediction
from tests.selector.health.ward import CLASSES, Says, Ward, absent, constant, errs

STEPS = {
    "healthy": {"suspect", "quarantined"},
    "suspect": {"healthy", "quarantined"},
    "quarantined": {"probing"},
    "probing": {"healthy", "quarantined"},
}
MODES: list[Says] = [
    errs(0.1),
    errs(0.5),
    constant(1),
    absent,
    lambda truth, rng: Prediction(rng.randrange(CLASSES), score=rng.random()),
]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Says, bool]]:
    step = st.tuples(st.sampled_from("abc"), st.sampled_from(MODES), st.booleans())
    return draw(st.lists(step, min_size=1, max_size=8))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), history=histories())
def test_whatever_happens_the_states_follow_the_course_and_somebody_answers(
    seed: int, history: list[tuple[str, Says, bool]]
) -> None:
    ward = Ward(seed, {"a": errs(0.1), "b": errs(0.2), "c": errs(0.3)}).run(150, labels=True)
    for model, mode, labels in history:
        ward.models[model] = mode
        for _ in range(12):
            ward.run(10, labels=labels)
            assert len(ward.resting) < len(ward.models)
    state = dict.fromkeys("abc", "healthy")
    for _, change in ward.changes:
        assert change.state in STEPS[state[change.model]], ward.changes
        assert change.evidence
        state[change.model] = change.state
    assert {model: ward.state(model) for model in state} == state


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_equal_observations_give_equal_changes(seed: int) -> None:
    def changes() -> list[object]:
        ward = Ward(seed, {"a": errs(0.1), "b": errs(0.2), "c": errs(0.3)}).run(200, labels=True)
        ward.models["b"] = constant(Random(seed).randrange(CLASSES))
        return [*ward.run(300, labels=True).changes]

    assert changes() == changes()
