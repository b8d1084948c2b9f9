"""SIGKILL at random moments under load, twenty times: nothing acknowledged is lost, every state is the log's fold."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.kills import run
from tests.benchmarks.ordeal import Ordeal

pytestmark = pytest.mark.slow


def test_no_promise_is_broken_in_twenty_kills(tmp_path: Path) -> None:
    ordeal = Ordeal(tmp_path, seed=20)
    run(ordeal, 20, lambda: None)
    assert ordeal.violations == []
    assert sum(ordeal.kills[victim] for victim in ("front end", "supervisor", "worker")) == 20
    assert all(len(ledger.acknowledged) > 200 for ledger in ordeal.ledgers.values())
