"""Recent decisions are kept within a bound of bytes."""

from __future__ import annotations

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


def test_a_clients_own_id_is_remembered_as_long_as_its_decision() -> None:
    recents = Recents(2 * ENTRY_BYTES)
    recents.add(1, recent(0), "mine")
    assert recents.query_of("mine") == 1
    recents.add(2, recent(0))
    recents.add(3, recent(0))
    assert recents.query_of("mine") is None
    assert recents.get(1) is None
