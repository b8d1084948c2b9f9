"""What answers are worth: learned from those that were judged, and from nothing else."""

from __future__ import annotations

from selector.certainty import Certainty, Record
from selector.confidence import Threshold
from selector.decisions import Answer, Decision, Feedback, Prediction, Query
from selector.interval import Interval
from selector.losses import Absolute, LogLoss, ZeroOne, loss_of_answer

CERTAINTY = Certainty(threshold=Threshold(target_error=0.1))
SPOKEN = {"a:1": Prediction(7), "b:1": Prediction(9)}


def decided(answer: Answer) -> Decision:
    return Decision("app", Query(1, ("a:1", "b:1")), 0.0, "exp4", (), SPOKEN, answer)


def labelled(label: int | float | str) -> Feedback:
    return Feedback((1,), label=label)


def rewarded(reward: float) -> Feedback:
    return Feedback((1,), reward=reward)


def trained(labels: int, answer: Answer, feedback: Feedback) -> Record:
    record = Record()
    for _ in range(labels):
        record = CERTAINTY.observe(record, decided(answer), feedback, ZeroOne())
    return record


def test_answers_that_have_been_right_become_sure() -> None:
    answer = Answer(7, 0.95, sure=False)
    assert CERTAINTY.judge(Record(), answer, SPOKEN).sure is False
    record = trained(400, answer, labelled(7))
    assert CERTAINTY.judge(record, answer, SPOKEN).sure is True
    assert CERTAINTY.judge(record, Answer(7, 0.2), SPOKEN).sure is False
    assert CERTAINTY.judge(record, Answer(7, None), SPOKEN).sure is False


def test_an_answer_that_was_withheld_counts_as_what_it_would_have_been() -> None:
    shown = Answer(-1, 0.95, sure=False, default=True, withheld=7)
    assert CERTAINTY.judge(trained(400, shown, labelled(7)), Answer(7, 0.95), SPOKEN).sure is True
    assert CERTAINTY.judge(trained(400, shown, labelled(-1)), Answer(7, 0.95), SPOKEN).sure is False


def test_answers_that_nobody_judged_do_not_count() -> None:
    assert trained(400, Answer(7, 0.95), labelled(7)) == Record()
    assert trained(400, Answer(-1, None, sure=False, default=True), labelled(7)) == Record()


def test_the_loss_of_an_answer_is_that_of_what_was_said_together() -> None:
    withheld = Answer(-1, 0.4, default=True, withheld=7)
    assert loss_of_answer(decided(Answer(7)), labelled(7), ZeroOne()) == 0.0
    assert loss_of_answer(decided(Answer(7)), labelled(9), LogLoss()) == 1.0
    assert loss_of_answer(decided(Answer(7)), labelled(9), Absolute(scale=4)) == 0.5
    assert loss_of_answer(decided(Answer(7)), rewarded(0.25), ZeroOne()) == 0.75
    assert loss_of_answer(decided(withheld), labelled(7), ZeroOne()) == 0.0


def test_where_the_loss_of_an_answer_cannot_be_told_it_is_not() -> None:
    withheld = Answer(-1, 0.4, default=True, withheld=7)
    assert loss_of_answer(decided(withheld), rewarded(0.0), ZeroOne()) is None  # a reward is about what was shown
    assert loss_of_answer(decided(Answer(-1, default=True)), labelled(7), ZeroOne()) is None
    assert loss_of_answer(decided(Answer("seven")), labelled(7), Absolute()) is None


def test_numbers_get_an_interval_once_their_errors_are_known() -> None:
    certainty, record = Certainty(interval=Interval(coverage=0.8)), Record()
    for i in range(100):
        said = certainty.judge(record, Answer(8.0), SPOKEN)
        record = certainty.observe(record, decided(said), labelled(8.0 + (i % 5) - 2), Absolute())
    low, high = certainty.judge(record, Answer(8.0), SPOKEN).interval or (0.0, 0.0)
    assert low <= 6.0 < 8.0 < 10.0 <= high
    assert certainty.judge(record, Answer(None), SPOKEN).interval is None
    assert certainty.judge(record, Answer("eight"), SPOKEN).interval is None


def test_it_can_be_told_to_people() -> None:
    before, after = Record(), trained(400, Answer(7, 0.95, sure=False), labelled(7))
    assert CERTAINTY.describe(before)["sure_from"] is None
    known = CERTAINTY.describe(after)
    assert known["sure_from"] is not None
    assert 0.0 < known["sure_from"] <= 0.95
    assert known["errors"] == 0
    assert Certainty(interval=Interval(coverage=0.8)).describe(before) == {"typical_error": None}
