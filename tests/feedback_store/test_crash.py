"""Kill a writer at any moment: what was recorded and acknowledged is in the log, once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from feedback_store.opening import open_log
from feedback_store.recovery import recover

CHILD = Path(__file__).with_name("child_writing.py")


@pytest.mark.parametrize("seed", range(8))
def test_a_kill_loses_nothing(tmp_path: Path, seed: int) -> None:
    url, root = f"sqlite:///{tmp_path}/log.db", tmp_path / "spool"
    recorded, observed = run_and_kill(url, root, seed, reports=Random(seed).randrange(1, 5000))
    log = open_log(url)
    recover(log, root)
    stored = {query for query in range(1, log.last_query() + 1) if log.decision("digits", query)}
    entries = list(log.entries("digits"))
    log.close()
    assert recorded <= stored
    assert stored == set(range(1, len(stored) + 1))
    in_log = [entry.decisions[0].query.id for entry in entries]
    assert observed <= set(in_log)
    assert len(set(in_log)) == len(in_log)
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
    assert list(root.iterdir()) == [root / "lock"]


def run_and_kill(url: str, root: Path, seed: int, reports: int) -> tuple[set[int], set[int]]:
    """The query ids that the child reported as recorded, and as observed."""
    with subprocess.Popen([sys.executable, CHILD, url, root, str(seed)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        head = child.stdout.read(9 * reports)
        child.kill()
        data = head + child.stdout.read()
    whole = [data[start : start + 9] for start in range(0, len(data) - 8, 9)]
    ids = {kind: {int.from_bytes(r[1:], "little") for r in whole if r[:1] == kind} for kind in (b"d", b"o")}
    assert len(whole) >= reports, "the child ended by itself"
    return ids[b"d"], ids[b"o"]
