"""Recent decisions are kept within a bound of bytes."""

from __future__ import annotations

from selector.decisions import Prediction
from serving.recents import ENTRY_BYTES, Recent, Recents
from serving.values import Input


def recent(size: int) -> Recent:
    return Recent(None, Input("FP32", (size // 4,), bytes(size)), ())


def test_the_oldest_are_forgotten_first_and_the_bound_holds() -> None:
    recents = Recents(10 * (100 + ENTRY_BYTES))
    for query in range(25):
        recents.add(query, recent(100))
        assert recents.bytes <= recents.limit
    assert [query for query in range(25) if recents.get(query)] == list(range(15, 25))


def test_late_predictions_count_and_go_with_their_decision() -> None:
    recents = Recents(3 * ENTRY_BYTES + 10_000)
    late = Prediction("cat", probabilities=tuple((n, 0.02) for n in range(50)))
    for query in range(3):
        recents.add(query, recent(0))
    for _ in range(2):  # the second time is a repetition
        recents.add_late(2, "slow:1", late)
    recents.add_late(99, "slow:1", late)
    kept = recents.get(2)
    assert kept is not None
    assert dict(kept.late) == {"slow:1": late}
    assert recents.bytes > 3 * ENTRY_BYTES + 50 * 100
    recents.add(3, recent(9_000))
    assert recents.get(2) is None
    assert recents.bytes == 9_000 + ENTRY_BYTES


def test_a_clients_own_id_is_remembered_as_long_as_its_decision() -> None:
    recents = Recents(2 * ENTRY_BYTES)
    recents.add(1, recent(0), "mine")
    assert recents.query_of("mine") == 1
    recents.add(2, recent(0))
    recents.add(3, recent(0))
    assert recents.query_of("mine") is None
    assert recents.get(1) is None
