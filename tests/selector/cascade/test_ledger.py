"""The account of a cascade's errors beside its models'."""

from __future__ import annotations

from math import log, sqrt

import pytest

from selector.cascade.ledger import Ledger
from selector.cascade.stage import Stage
from selector.cascade.view import NOTHING, keys_of
from selector.decisions import Prediction
from selector.pool import Pool

SEEN = Stage(Pool().with_models(("cheap",))).view(1, {"cheap": Prediction("cat")}, {})
IDS = {"cheap": 0, "dear": 1, "other": 2}
USUAL = dict.fromkeys(IDS, 0.8)
Z = 1.64


def told(ledger: Ledger, queries: int, wrong: bool, right: dict[str, bool]) -> None:
    """So many queries that all went the same way."""
    for _ in range(queries):
        ledger.enter(1.0, {})
        ledger.compare(tuple(ledger.accounts), wrong, right, SEEN, not wrong)
    for _ in ledger.accounts:
        ledger.settle({1: Stage()}, IDS, USUAL)


def without_the_dear_one(ledger: Ledger, queries: int) -> None:
    """So many queries at which only the cheap model was available, and was wrong."""
    for _ in range(queries):
        ledger.enter(1.0, {})
        ledger.compare(("cheap",), True, {"cheap": False}, SEEN, False)


def test_the_reference_is_the_model_that_was_right_where_the_cascade_was_wrong() -> None:
    ledger = Ledger().with_models(tuple(IDS), 1.0, False)
    told(ledger, 50, True, {"cheap": False, "dear": True, "other": False})
    told(ledger, 100, False, {"cheap": True, "dear": True, "other": True})
    assert ledger.reference(tuple(IDS), Z) == "dear"
    assert ledger.accounts["dear"].gap == 50.0
    assert ledger.accounts["cheap"].gap == 0.0


def test_excess_is_the_difference_of_two_shares_of_errors_once_it_was_estimated() -> None:
    ledger = Ledger().with_models(("cheap", "dear"), 1.0, False)
    assert ledger.excess("dear") is None
    told(ledger, 50, True, {"cheap": False, "dear": True})
    told(ledger, 100, False, {"cheap": False, "dear": True})
    assert ledger.excess("dear") == (50 / 150, 0.0)
    assert ledger.excess("cheap") == (-100 / 150, 0.0)
    ledger = ledger.with_models(tuple(IDS), 1.0, False)
    ledger.compare(tuple(IDS), False, {"cheap": True, "dear": True, "other": True}, SEEN, True)
    assert ledger.excess("other") is None


def test_excess_is_a_share_of_the_queries_at_which_the_model_was_available() -> None:
    ledger = Ledger().with_models(("cheap", "dear"), 1.0, False)
    told(ledger, 50, True, {"cheap": False, "dear": True})
    without_the_dear_one(ledger, 100)
    told(ledger, 50, False, {"cheap": False, "dear": True})
    assert ledger.excess("dear") == (50 / 100, 0.0)
    assert ledger.excess("cheap") == (-50 / 200, 0.0)


def test_errors_at_which_a_model_was_not_asked_are_lost_to_it_in_as_far_as_it_would_have_been_right() -> None:
    ledger = Ledger().with_models(("cheap", "dear"), 1.0, False)
    told(ledger, 500, True, {"cheap": False})
    share, deviation = ledger.excess("dear") or (0.0, 0.0)
    assert share == pytest.approx(USUAL["dear"], abs=0.05)
    assert deviation > 0.0


def test_a_model_of_which_little_is_known_is_not_forgotten() -> None:
    ledger = Ledger().with_models(tuple(IDS), 1.0, False)
    told(ledger, 50, True, {"cheap": False, "dear": True, "other": False})
    told(ledger, 2_000, False, {"cheap": True, "dear": True})
    assert ledger.reference(tuple(IDS), Z) == "other"


def test_a_model_that_joins_is_not_taken_for_one_that_never_erred() -> None:
    ledger = Ledger().with_models(("cheap", "dear"), 1.0, False)
    for _ in range(1_000):
        ledger.enter(1.0, {})
        ledger.compare(tuple(ledger.accounts), True, {"cheap": False, "dear": True}, SEEN, False)
    ledger = ledger.with_models(tuple(IDS), 1.0, False)
    told(ledger, 25, False, {"cheap": True, "dear": True, "other": True})
    assert ledger.accounts["other"].gap == 0.0
    assert ledger.reference(tuple(IDS), Z) == "dear"


def test_queries_of_a_model_that_has_left_are_not_taken_for_those_of_the_one_in_its_place() -> None:
    ledger = Ledger().with_models(tuple(IDS), 1.0, False)
    told(ledger, 100, True, {"cheap": False})
    ledger = ledger.with_models(("cheap", "new"), 1.0, True)
    assert all(account.gap == 0.0 and not account.survey.unseen for account in ledger.accounts.values())


def test_a_model_neither_gains_nor_loses_by_queries_at_which_it_was_not_available() -> None:
    ledger = Ledger().with_models(("cheap", "dear"), 1.0, False)
    told(ledger, 50, True, {"cheap": False, "dear": True})
    without_the_dear_one(ledger, 100)
    told(ledger, 1, False, {"cheap": True, "dear": True})
    assert (ledger.accounts["dear"].queries, ledger.accounts["dear"].gap) == (51.0, 50.0)
    assert ledger.reference(("cheap", "dear"), Z) == "dear"
    assert ledger.reference(("cheap",), Z) == "cheap"


def test_a_poorer_model_is_not_the_one_to_compare_with_for_being_unknown() -> None:
    """It was asked in none of the queries, and is usually right in eight of ten, where the other always was."""
    ledger = Ledger().with_models(("cheap", "dear"), 1.0, False)
    told(ledger, 20, False, {"dear": True})
    cheap, dear = ledger.accounts["cheap"], ledger.accounts["dear"]
    assert dear.gap + Z * sqrt(dear.variance) == 0.0
    assert cheap.gap + Z * sqrt(cheap.variance) > 10.0
    assert ledger.reference(("cheap", "dear"), Z) == "dear"


def test_what_is_known_of_a_model_that_is_away_for_long_fades_as_a_whole() -> None:
    ledger = Ledger().with_models(("cheap", "dear"), 1.0, False)
    told(ledger, 900, False, {"cheap": True, "dear": True})
    told(ledger, 100, True, {"cheap": False, "dear": False})
    for _ in range(40_000):
        ledger.enter(1.0, {})
        ledger.compare(("cheap",), False, {"cheap": True}, SEEN, True)
    away = ledger.accounts["dear"]
    assert away.queries < 500
    assert away.error(0.9) == pytest.approx(0.1, rel=0.1)


def test_where_nothing_arrived_for_certain_there_is_a_stratum_too() -> None:
    assert keys_of(NOTHING.keys[-1]) == NOTHING.keys


def priced(lost: int, won: int, agreed: int) -> tuple[float, float]:
    """The price where all were always asked: queries at which the cascade was wrong and the dear model right, the
    other way round, and neither; and the dear model's share of errors."""
    ledger = Ledger().with_models(("cheap", "dear"), 10.0, False)
    for queries, wrong, right in ((lost, True, True), (won, False, False), (agreed, True, False)):
        told(ledger, queries, wrong, {"cheap": not wrong, "dear": right})
    told(ledger, 2_000 - lost - won - agreed, False, {"cheap": True, "dear": True})
    usual = 1.0 - (won + agreed) / 2_000
    ledger.heed_accuracy("dear", usual, 0.005, Z, 10.0)
    return ledger.rate, ledger.accounts["dear"].error(usual)


def test_while_what_was_lost_is_within_bounds_the_price_is_a_share_of_the_errors() -> None:
    price, error = priced(lost=15, won=0, agreed=200)
    assert error == pytest.approx(0.1)
    assert price == pytest.approx(0.7 * error / 10.0)


def test_accuracy_costs_more_where_less_was_lost_than_was_allowed_and_less_where_more() -> None:
    usual, _ = priced(lost=15, won=0, agreed=200)
    unused, _ = priced(lost=0, won=20, agreed=180)
    owed, _ = priced(lost=120, won=0, agreed=200)
    assert owed < 0.8 * usual
    assert unused > 1.1 * usual


def test_what_may_have_been_lost_for_all_that_is_known_makes_accuracy_cost_less() -> None:
    """The same is expected of the dear model, which is right in eight of ten, whether it was asked or not."""
    asked, unasked = (Ledger().with_models(("cheap", "dear"), 10.0, False) for _ in range(2))
    told(asked, 400, False, {"cheap": True, "dear": False})
    told(asked, 1_600, False, {"cheap": True, "dear": True})
    told(unasked, 2_000, False, {"cheap": True})
    for ledger in (asked, unasked):
        ledger.heed_accuracy("dear", 0.8, 0.005, Z, 10.0)
    assert asked.accounts["dear"].gap == pytest.approx(unasked.accounts["dear"].gap)
    assert unasked.rate < 0.5 * 0.7 * 0.2 / 10.0
    assert asked.rate > 2.0 * 0.7 * 0.2 / 10.0


def test_however_much_is_owed_the_price_keeps_within_bounds() -> None:
    price, error = priced(lost=1_700, won=0, agreed=200)
    assert price == pytest.approx(0.2 * error / 10.0)
    price, _ = priced(lost=0, won=1_900, agreed=50)
    assert price == pytest.approx(1.0 / 10.0)


def test_one_answer_among_many_hardly_moves_the_price() -> None:
    before, _ = priced(lost=120, won=0, agreed=200)
    after, _ = priced(lost=121, won=0, agreed=200)
    assert abs(log(after / before)) < 0.05


@pytest.mark.parametrize("right", [True, False])
def test_the_first_answer_of_a_model_that_is_well_known_hardly_moves_the_price(right: bool) -> None:
    ledger = Ledger().with_models(("cheap", "dear"), 10.0, False)
    told(ledger, 1, False, {"cheap": True, "dear": right})
    ledger.heed_accuracy("dear", 0.9, 0.005, Z, 10.0)
    assert ledger.rate == pytest.approx(0.7 * 0.1 / 10.0, rel=0.2)
