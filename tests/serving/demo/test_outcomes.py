from __future__ import annotations

import pytest

from serving.demo.outcomes import (
    Journal,
    Outcome,
    Share,
    answer_error,
    default_share,
    model_error,
    quantile,
    sure_error,
    sure_share,
)


def outcome(
    label: int, output: int, default: bool = False, sure: bool | None = None, stage: str = "before", **models: int
) -> Outcome:
    return Outcome("digits", stage, label, "1", output, default, sure, models, seconds=0.01)


def test_default_outputs_are_no_errors_but_counted_by_themselves() -> None:
    outcomes = [outcome(3, 3), outcome(3, 4), outcome(3, -1, default=True), outcome(5, 5)]

    assert answer_error(outcomes) == Share(1, 3)
    assert default_share(outcomes) == Share(1, 4)


def test_only_what_was_marked_sure_counts_as_sure() -> None:
    outcomes = [outcome(3, 3, sure=True), outcome(3, 4, sure=True), outcome(3, 4, sure=False), outcome(3, 4)]

    assert sure_share(outcomes) == Share(2, 3)
    assert sure_error(outcomes) == Share(1, 2)


def test_a_model_is_judged_only_where_it_answered() -> None:
    outcomes = [outcome(3, 3, cnn=3, svm=8), outcome(3, 3, cnn=4)]

    assert model_error(outcomes, "cnn") == Share(1, 2)
    assert model_error(outcomes, "svm") == Share(1, 1)


def test_a_journal_is_read_by_stage_and_application() -> None:
    journal = Journal([outcome(1, 1, stage="before"), outcome(2, 2, stage="during")])

    assert [o.label for o in journal.of("during")] == [2]
    assert journal.of("during", "another") == []
    assert len(journal.of()) == 2


def test_a_share_of_nothing_is_zero_and_shown_as_a_dash() -> None:
    assert Share(0, 0).value == 0
    assert str(Share(0, 0)) == "-"
    assert str(Share(1, 8)) == "12.5%"


@pytest.mark.parametrize(("q", "expected"), [(0.5, 2), (0.99, 4), (0.25, 1), (1.0, 4)])
def test_quantiles_are_values_that_were_seen(q: float, expected: float) -> None:
    assert quantile([4, 1, 3, 2], q) == expected
