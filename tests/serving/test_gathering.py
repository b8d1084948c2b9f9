"""A gathering asks round after round and ends once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from selector.decisions import Prediction, Query, Selection
from selector.policies import Exp4
from serving.errors import ModelFailed
from serving.gathering import Gathering
from serving.values import Input
from serving.vocabulary import ClassNames, Vocabulary

Rounds = list[tuple[str, ...]]


class Scripted:
    """A course with given rounds; models in `instant` answer within `ask`."""

    def __init__(self, rounds: Rounds, instant: str = "", vocabulary: ClassNames | None = None) -> None:
        self.rounds, self.instant = rounds, instant
        self.vocabulary: Vocabulary | None = vocabulary
        self.asked: list[str] = []
        self.concluded: list[dict[str, Prediction]] = []
        self.abandoned: list[Exception] = []
        self.arrived_late: list[str] = []
        self.missed_late: list[str] = []
        self.now = 0.0
        self.clock: Callable[[], float] = lambda: self.now

    def choose(self, gathering: Gathering) -> Selection | None:
        asked = len(gathering.selections)
        return Selection(self.rounds[asked], 1.0) if asked < len(self.rounds) else None

    def ask(self, model: str, gathering: Gathering) -> None:
        self.asked.append(model)
        if model in self.instant:
            gathering.arrived(model, Prediction(model))

    def conclude(self, gathering: Gathering) -> None:
        self.concluded.append(dict(gathering.predictions))

    def abandon(self, gathering: Gathering, error: Exception) -> None:
        self.abandoned.append(error)

    def late(self, gathering: Gathering, model: str, prediction: Prediction) -> None:
        self.arrived_late.append(model)

    def missed(self, gathering: Gathering, model: str) -> None:
        self.missed_late.append(model)


def gathering_of(course: Scripted) -> Gathering:
    asked = Input("FP32", (1,), bytes(4))
    return Gathering(course, Exp4(), None, Query(1, ("a", "b", "c")), asked, 0.0, 0.02, lambda _: None)


def test_it_ends_the_moment_all_of_a_round_are_in() -> None:
    course = Scripted([("a", "b")])
    gathering = gathering_of(course)
    gathering.advance()
    gathering.arrived("b", Prediction(2))
    assert course.concluded == []
    gathering.arrived("a", Prediction(1))
    assert course.concluded == [{"b": Prediction(2), "a": Prediction(1)}]
    assert gathering.finished


def test_a_cascade_asks_the_next_model_when_the_first_has_answered() -> None:
    course = Scripted([("a",), ("b",)])
    gathering = gathering_of(course)
    gathering.advance()
    assert course.asked == ["a"]
    gathering.arrived("a", Prediction(1))
    assert course.asked == ["a", "b"]
    gathering.arrived("b", Prediction(1))
    assert len(course.concluded) == 1


def test_answers_from_the_cache_need_no_recursion() -> None:
    course = Scripted([("a",)] * 5000, instant="a")
    gathering_of(course).advance()
    assert len(course.asked) == 5000
    assert len(course.concluded) == 1


def test_a_failed_model_is_not_waited_for() -> None:
    course = Scripted([("a", "b")])
    gathering = gathering_of(course)
    gathering.advance()
    gathering.failed("a", ModelFailed("a: raised"))
    gathering.arrived("b", Prediction(1))
    assert course.concluded == [{"b": Prediction(1)}]
    assert str(gathering.errors["a"]) == "a: raised"


def test_at_the_deadline_it_ends_with_what_is_there_and_later_arrivals_are_late() -> None:
    course = Scripted([("a", "b", "c")])
    gathering = gathering_of(course)
    gathering.advance()
    gathering.arrived("a", Prediction(1))
    gathering.expire()
    gathering.arrived("b", Prediction(2))
    gathering.failed("c", ModelFailed("gone"))
    gathering.expire()
    assert course.concluded == [{"a": Prediction(1)}]
    assert (course.arrived_late, course.missed_late) == (["b"], ["c"])


def test_each_model_has_the_time_from_being_asked_to_its_answer() -> None:
    course = Scripted([("a", "b"), ("c",)])
    gathering = gathering_of(course)
    gathering.advance()
    for course.now, model in [(0.002, "b"), (0.005, "a"), (0.006, "c")]:
        gathering.arrived(model, Prediction(1))
    assert gathering.latencies == {"a": 5_000, "b": 2_000, "c": 1_000}


@pytest.mark.parametrize("step", ["choose", "ask", "conclude"])
def test_a_policy_that_raises_ends_the_query_with_its_error(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    course = Scripted([("a",)], instant="a")
    error = ValueError("broken")

    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(course, step, broken)
    gathering = gathering_of(course)
    gathering.advance()
    assert course.abandoned == [error]
    assert gathering.finished


def test_an_answer_outside_the_listed_classes_is_that_models_failure() -> None:
    course = Scripted([("a", "b")], vocabulary=ClassNames([1, 2]))
    gathering = gathering_of(course)
    gathering.advance()
    gathering.arrived("a", Prediction("cat"))
    gathering.arrived("b", Prediction("2"))
    assert course.concluded == [{"b": Prediction(2)}]
    assert "cat" in str(gathering.errors["a"])
