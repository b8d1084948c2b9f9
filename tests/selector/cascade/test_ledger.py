"""The account of a cascade's errors beside its models'."""

from __future__ import annotations

from selector.cascade.ledger import Ledger
from selector.cascade.stage import NOTHING, Stage, keys_of
from selector.decisions import Prediction
from selector.pool import Pool

SEEN = Stage(Pool().with_models(("cheap",))).view(1, {"cheap": Prediction("cat")})
IDS = {"cheap": 0, "dear": 1, "other": 2}
USUAL = dict.fromkeys(IDS, 0.8)
Z = 1.64


def told(ledger: Ledger, queries: int, wrong: bool, right: dict[str, bool]) -> None:
    """So many queries that all went the same way."""
    for _ in range(queries):
        ledger.enter(1.0)
        ledger.compare(wrong, right, SEEN, not wrong)
    for _ in ledger.accounts:
        ledger.settle({1: Stage()}, IDS, USUAL)


def test_the_reference_is_the_model_that_was_right_where_the_cascade_was_wrong() -> None:
    ledger = Ledger().with_models(tuple(IDS), 1.0, False)
    told(ledger, 50, True, {"cheap": False, "dear": True, "other": False})
    told(ledger, 100, False, {"cheap": True, "dear": True, "other": True})
    assert ledger.reference(Z) == "dear"
    assert ledger.accounts["dear"].gap == 50.0
    assert ledger.accounts["cheap"].gap == 0.0


def test_a_model_of_which_little_is_known_is_not_forgotten() -> None:
    ledger = Ledger().with_models(tuple(IDS), 1.0, False)
    told(ledger, 50, True, {"cheap": False, "dear": True, "other": False})
    told(ledger, 2_000, False, {"cheap": True, "dear": True})
    assert ledger.reference(Z) == "other"


def test_a_model_that_joins_is_not_taken_for_one_that_never_erred() -> None:
    ledger = Ledger().with_models(("cheap", "dear"), 1.0, False)
    for _ in range(1_000):
        ledger.enter(1.0)
        ledger.compare(True, {"cheap": False, "dear": True}, SEEN, False)
    ledger = ledger.with_models(tuple(IDS), 1.0, False)
    told(ledger, 25, False, {"cheap": True, "dear": True, "other": True})
    assert ledger.accounts["other"].gap == 0.0
    assert ledger.reference(Z) == "dear"


def test_queries_of_a_model_that_has_left_are_not_taken_for_those_of_the_one_in_its_place() -> None:
    ledger = Ledger().with_models(tuple(IDS), 1.0, False)
    told(ledger, 100, True, {"cheap": False})
    ledger = ledger.with_models(("cheap", "new"), 1.0, True)
    assert all(account.gap == 0.0 and not account.survey.unseen for account in ledger.accounts.values())


def test_where_nothing_arrived_for_certain_there_is_a_stratum_too() -> None:
    assert keys_of(NOTHING.keys[-1]) == NOTHING.keys
