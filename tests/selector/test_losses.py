"""Losses: in [0, 1] for whatever they accept, and what feedback tells of each model."""

from __future__ import annotations

from math import inf, log, nan
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from selector.decisions import Answer, Decision, Feedback, Label, Prediction, Query, Selection
from selector.errors import InvalidLabel
from selector.losses import Absolute, AnyLoss, LogLoss, Loss, Squared, TopK, ZeroOne, loss_of_answer, losses_of

labels = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
ALL: list[Loss] = [kind() for kind in get_args(AnyLoss)]


def decision(answer: Label, **outputs: Label) -> Decision:
    predictions = {model: Prediction(output) for model, output in outputs.items()}
    return Decision("app", Query(1, tuple(outputs)), 0.0, "exp4", (), predictions, Answer(answer))


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: type(loss).__name__)
@given(output=labels, label=labels)
def test_a_loss_is_between_zero_and_one_or_refuses(loss: Loss, output: Label, label: Label) -> None:
    try:
        loss.check(label)
        value = loss(Prediction(output), label)
    except InvalidLabel:
        assert isinstance(output, str | bool) or isinstance(label, str | bool)
    else:
        assert 0 <= value <= 1
        assert loss(Prediction(label), label) == 0


@pytest.mark.parametrize(
    ("loss", "prediction", "label", "expected"),
    [
        (ZeroOne(), Prediction("cat"), "dog", 1),
        (Absolute(scale=4), Prediction(3), 2, 0.25),
        (Absolute(scale=4), Prediction(30), 2, 1),
        (Squared(scale=4), Prediction(4), 2, 0.25),
        (Squared(), Prediction(1e300), -1e300, 1),
        (LogLoss(bound=5), Prediction("cat", probabilities=(("cat", 0.5), ("dog", 0.5))), "dog", log(2) / 5),
        (LogLoss(bound=5), Prediction("cat", probabilities=(("cat", 1.0),)), "dog", 1),
        (LogLoss(bound=5), Prediction("cat"), "dog", 1),
        (TopK(k=2), Prediction("a", probabilities=(("a", 0.5), ("b", 0.2), ("c", 0.3))), "c", 0),
        (TopK(k=2), Prediction("a", probabilities=(("a", 0.5), ("b", 0.2), ("c", 0.3))), "b", 1),
        (TopK(k=2), Prediction("b", probabilities=(("a", 0.5), ("b", 0.2), ("c", 0.3))), "c", 1),
        (TopK(k=2), Prediction("b", probabilities=(("a", 0.5), ("c", 0.5))), "a", 0),
        (TopK(k=2), Prediction("a"), "b", 1),
    ],
)
def test_losses_by_hand(loss: Loss, prediction: Prediction, label: Label, expected: float) -> None:
    assert loss(prediction, label) == pytest.approx(expected)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("label", [nan, inf])
def test_no_loss_takes_what_is_not_finite(loss: Loss, label: float) -> None:
    with pytest.raises(InvalidLabel):
        loss.check(label)


@pytest.mark.parametrize("loss", [Absolute(), Squared()])
@pytest.mark.parametrize("label", ["three", True, 10**400])
def test_a_distance_takes_numbers_only(loss: Loss, label: Label) -> None:
    with pytest.raises(InvalidLabel):
        loss.check(label)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: type(loss).__name__)
def test_settings_survive_their_encoding(loss: Loss) -> None:
    assert msgspec.json.decode(msgspec.json.encode(loss), type=AnyLoss) == loss


def test_a_label_scores_every_model_that_predicted_late_ones_too() -> None:
    feedback = Feedback((1,), label="dog", joined={"b": Prediction("dog")})
    assert losses_of(decision("cat", c="cat", a="dog"), feedback, ZeroOne()) == {"a": 0, "b": 0, "c": 1}


def test_a_reward_is_credited_to_the_models_that_agree_with_the_answer() -> None:
    decided = decision("cat", a="cat", b="dog", c="cat")
    assert losses_of(decided, Feedback((1,), reward=0.25), ZeroOne()) == {"a": 0.75, "c": 0.75}
    assert losses_of(decided, Feedback((1,), reward=0.0), ZeroOne()) == {"a": 1, "c": 1}


def test_a_reward_scores_what_was_asked_and_came_late_but_no_shadow() -> None:
    decided = msgspec.structs.replace(decision("cat", a="cat"), selections=(Selection(("a", "late"), 1.0),))
    joined = {"late": Prediction("cat"), "shadow": Prediction("cat")}
    assert losses_of(decided, Feedback((1,), reward=0.0, joined=joined), ZeroOne()) == {"a": 1, "late": 1}
    assert losses_of(decided, Feedback((1,), label="dog", joined=joined), ZeroOne()) == {"a": 1, "late": 1, "shadow": 1}


def test_a_full_reward_tells_that_all_others_are_wrong_where_one_class_is_right() -> None:
    decided = decision(1, a=1, b=2)
    assert losses_of(decided, Feedback((1,), reward=1.0), ZeroOne()) == {"a": 0, "b": 1}
    assert losses_of(decided, Feedback((1,), reward=1.0), Absolute()) == {"a": 0}


def test_a_reward_for_an_answer_that_nobody_gave_is_credited_to_nobody() -> None:
    assert losses_of(decision("default", a="cat", b="dog"), Feedback((1,), reward=1.0), ZeroOne()) == {}


def test_an_answer_with_several_labels_is_right_by_any_of_them() -> None:
    said = replace(decision("cat", svm="cat"), answer=Answer("cat", top=("cat", "dog", "fox")))
    told = [loss_of_answer(said, Feedback((1,), label), TopK(k=2)) for label in ("cat", "dog", "fox")]
    assert told == [0.0, 0.0, 1.0]
    assert loss_of_answer(said, Feedback((1,), "dog"), ZeroOne()) == 1.0
