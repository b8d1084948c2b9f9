"""Vowpal Wabbit: a state that is a pure function of its log, and text that no user can break."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selector import Vowpal
from selector.decisions import Answer, Decision, Feature, Prediction, Query, Selection
from selector.ngrams import is_text, ngrams
from selector.policies.vowpal_state import VowpalState
from selector.policies.vowpal_text import example
from tests.benchmarks.contextual import Row, difference
from tests.benchmarks.contextual import play as play_rows
from tests.selector.worlds import MODELS, Step, fold, play

POLICY = Vowpal(save_every=50)
QUERY = Query(1, MODELS, user="ann", features={"length": 3})


def history(queries: int) -> tuple[VowpalState, list[Step]]:
    return play(POLICY, POLICY.initial_state(MODELS), queries, seed=1)


@pytest.fixture(scope="module")
def untrained() -> VowpalState:
    return POLICY.initial_state(MODELS)


def test_the_state_is_saved_at_each_multiple_and_keeps_the_examples_since() -> None:
    state, _ = history(120)
    assert state.learned.feedbacks == 120
    assert len(state.learned.since) == 20
    assert state.learned.model
    assert history(149)[0].learned.model == state.learned.model != history(150)[0].learned.model


def test_a_multiple_that_cannot_be_saved_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    state, log = history(50)
    before = fold(POLICY, POLICY.initial_state(MODELS), log[:49])
    encoded = POLICY.encode(before)
    with monkeypatch.context() as full:
        full.setattr("selector.policies.vowpal_state.TemporaryDirectory", _no_space)
        with pytest.raises(OSError, match="no space"):
            fold(POLICY, before, log[49:])
    assert POLICY.encode(before) == encoded
    assert POLICY.encode(fold(POLICY, before, log[49:])) == POLICY.encode(state)


def _no_space(**_: object) -> None:
    raise OSError("no space")


def test_predictions_never_touch_what_is_saved() -> None:
    """Online, each feedback follows a prediction on the live workspace; the fold of the log predicts nothing."""
    state, log = history(230)
    assert POLICY.encode(fold(POLICY, POLICY.initial_state(MODELS), log)) == POLICY.encode(state)


def test_a_state_that_went_through_another_process_goes_on_the_same(tmp_path: Path) -> None:
    _, log = history(220)
    state = fold(POLICY, POLICY.initial_state(MODELS), log[:77])
    (tmp_path / "state").write_bytes(POLICY.encode(state))
    (tmp_path / "end").write_bytes(POLICY.encode(fold(POLICY, state, log[77:])))
    script = (
        "from pathlib import Path\n"
        "from tests.selector.policies.test_vowpal import POLICY, fold, history\n"
        "state = POLICY.decode(Path('state').read_bytes())\n"
        "state = fold(POLICY, state, history(220)[1][77:])\n"
        "assert POLICY.encode(state) == Path('end').read_bytes()\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.path.append({str(root)!r})\n{script}"], cwd=tmp_path)
    assert done.returncode == 0


def test_a_decoded_state_predicts_what_the_original_does() -> None:
    state, _ = history(120)
    fresh = POLICY.decode(POLICY.encode(state))
    assert POLICY.chances(fresh, QUERY) == POLICY.chances(state, QUERY)


def test_it_learns_which_model_suits_which_user() -> None:
    rng, state = Random(2), POLICY.initial_state(MODELS)
    suits = {"ann": "cnn:1", "bob": "svm:1"}
    for i in range(600):
        query = Query(i, MODELS, user=rng.choice(sorted(suits)))
        selection = POLICY.select(state, query, (), {}, rng)
        assert selection is not None
        model, user = selection.models[0], query.user
        decision = Decision("", query, 0.0, "vowpal", (selection,), {model: Prediction(1)}, Answer(1))
        state = POLICY.observe(state, decision, {model: float(user is None or suits[user] != model)})
    for user, model in suits.items():
        assert POLICY.chances(state, Query(1, MODELS, user=user))[MODELS.index(model)] > 0.8


text = st.text(st.characters(exclude_categories=[]), max_size=12) | st.sampled_from(
    ["|a", "a:1", "\n", "\r", "", "7", "shared"]
)
features = st.dictionaries(text, text | st.floats() | st.integers(-(2**63), 2**64 - 1), max_size=4)


@given(text, features, st.lists(text, min_size=1, max_size=3, unique=True), features)
def test_no_text_can_break_the_format(
    user: str, context: dict[str, Feature], models: list[str], about: dict[str, Feature]
) -> None:
    query = Query(1, tuple(sorted(models)), user=user, features=context, about=dict.fromkeys(models, about))
    shared, *actions = example(query, (query.available[-1], 0.5, 0.25)).split("\n")
    assert shared.startswith("shared |c")
    assert shared.count("|") == 2
    assert len(shared.split(" ")) == 2 + tokens(context) + 2
    assert [action.split(" ")[0] for action in actions] == ["|a"] * (len(models) - 1) + [f"{len(models) - 1}:0.5:0.25"]
    for action, model in zip(actions, query.available, strict=True):
        known = tokens(about) + (":" in model)
        assert len(action[action.index("|") :].split(" ")) == 2 + (1 + known if known else 0)
    assert len(set(actions)) == len(models)


def tokens(context: dict[str, Feature]) -> int:
    """How many words the features become: a text is many."""
    return sum(len(ngrams(value)) if isinstance(value, str) and is_text(value) else 1 for value in context.values())


def test_a_new_version_begins_with_what_is_known_of_the_old_one() -> None:
    state, rng = POLICY.initial_state(("cnn:1", "svm:1")), Random(1)
    for i in range(200):
        query = Query(i, ("cnn:1", "svm:1"), about={"cnn:1": {"cost": 2}, "svm:1": {"cost": 1}})
        selection = POLICY.select(state, query, (), {}, rng)
        assert selection is not None
        decision = Decision("", query, 0.0, "vowpal", (selection,), {}, Answer(1))
        state = POLICY.observe(state, decision, {selection.models[0]: float(selection.models[0] == "svm:1")})
    newcomers = Query(1, ("cnn:2", "svm:2"), about={"cnn:2": {"cost": 2}, "svm:2": {"cost": 1}})
    assert POLICY.chances(state, newcomers)[0] > 0.8


@pytest.mark.parametrize("exploration", ["squarecb", "cover", "bag", "regcb"])
def test_probabilities_are_those_of_the_program_itself(exploration: str) -> None:
    """`python -m vowpalwabbit -d FILE`; of a cover and a bag the program does not save all that it knows."""
    saves = 1_000 if exploration in ("cover", "bag") else 50
    policy = msgspec.json.decode(f'{{"name":"vowpal","exploration":"{exploration}","save_every":{saves}}}', type=Vowpal)
    rows = [Row({"x": i % 7 / 7, "y": i % 3, "kind": "ab"[i % 2]}, f"u{i % 5}", i % 7 % 3) for i in range(220)]
    assert difference(policy, play_rows(policy, rows)) < 1e-6


@given(user=text, context=features)
def test_vowpal_reads_any_text_as_one_example(untrained: VowpalState, user: str, context: dict[str, Feature]) -> None:
    query = Query(1, MODELS, user=user, features=context)
    assert POLICY.chances(untrained, query) == pytest.approx([1 / 3] * 3)


def test_different_names_are_different_features() -> None:
    lines = {
        example(Query(1, (), user="u", features={name: 1.0})) for name in ("a b", "a+b", "a%20b", "a:b", "a|b", "A B")
    }
    assert len(lines) == 6
    assert example(Query(1, (), features={"a": "b=c"})) != example(Query(1, (), features={"a=b": "c"}))


@pytest.mark.parametrize("value", [1e300, -1e300, 1e-300, -1e-30, float("inf"), float("nan"), 2**63])
def test_a_monstrous_number_does_not_poison_the_weights(value: float) -> None:
    policy, rng = Vowpal(save_every=10), Random(1)
    state = policy.initial_state(MODELS)
    for i in range(40):
        query = Query(i, MODELS, user="ann", features={"size": value, "a": 1e9})
        decision = Decision("", query, 0.0, "", (Selection((MODELS[i % 3],), 0.3),), {}, Answer(1))
        state = policy.observe(state, decision, {MODELS[i % 3]: float(i % 2)})
    chances = policy.chances(state, QUERY)
    assert sum(chances) == pytest.approx(1, abs=1e-5)
    assert policy.select(state, QUERY, (), {}, rng) is not None
