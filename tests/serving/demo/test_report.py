from __future__ import annotations

import io

from rich.console import Console

from serving.demo.claims import Claim
from serving.demo.report import print_report
from tests.serving.demo.stories import good_evidence


def printed(claims: list[Claim], width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_report(console, good_evidence(), claims)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def rows(text: str, first: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.split()[:1] == [first]]


def test_a_model_has_its_errors_and_its_mean_batch_size() -> None:
    assert ["svm:1", "sklearn", "0.5", "s", "5.0%", "5.0%", "5.0%", "5.0%", "6.0"] in rows(printed([]), "svm:1")


def test_a_policy_has_errors_defaults_and_latencies_by_stage() -> None:
    before, during = (rows(printed([]), first) for first in ("exp4", "during"))

    assert before == [["exp4", "before", "3.0%", "-", "-", "0.0%", "10.0", "10.0"]]
    assert [row[1] for row in during] == ["5.0%", "9.0%", "6.0%", "6.0%", "4.0%", "6.0%"]


def test_the_weights_of_learning_policies_are_shown_by_stage() -> None:
    assert ["cnn:1", "0.900", "0.010", "0.600", "0.900", "0.010", "0.600"] in rows(printed([]), "cnn:1")


def test_what_is_recommended_stands_beside_what_was_published() -> None:
    (asked_all,), (successor,) = rows(printed([]), "all"), rows(printed([]), "ensemble,")

    assert asked_all == ["all", "models", "exp4,", "as", "published", "3.0%", "6.0%", "5.0%", "4.7%"]
    assert successor == ["ensemble,", "today", "2.0%", "4.0%", "2.0%", "2.7%"]


def test_the_rate_counts_predict_and_observe() -> None:
    assert "36,000 requests (predict and observe) in 12.0 s: 3,000 requests/s" in printed([])


def test_the_cascade_has_its_models_shares_and_costs_by_stage() -> None:
    text = printed([])

    assert ["gated:1", "50.0%", "50.0%", "50.0%", "50.0%", "3.00", "2.00", "4.00"] in rows(text, "gated:1")
    assert ["logistic:1", *["100.0%"] * 4, *["0.50"] * 3] in rows(text, "logistic:1")
    assert rows(text, "an") == [["an", "answer", "2.00", "2.00", "2.00", "2.00"]]


def test_all_fits_a_terminal_of_80_columns() -> None:
    narrow, wide = (printed([], width).splitlines() for width in (80, 200))

    assert [line.split() for line in narrow] == [line.split() for line in wide]


def test_every_claim_is_told_with_its_figures() -> None:
    text = printed([Claim("nothing is lost", True, "0 missing"), Claim("nothing is left", False, "1 left")])

    assert "holds  nothing is lost: 0 missing" in text
    assert "FAILS  nothing is left: 1 left" in text
