"""A front end without the front: `child_writing.py url root seed`, until it is killed.

It records decisions and gives feedback about some. It writes nine bytes to its output after each:
"d" and the query id when a decision is recorded, "o" and the id when feedback is acknowledged.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from random import Random

from feedback_store.contract import Applied
from feedback_store.opening import open_log
from feedback_store.spool import Spool
from feedback_store.writer import Writer
from tests.feedback_store.samples import a_label, a_row


def report(kind: bytes, query: int) -> None:
    os.write(1, kind + query.to_bytes(8, "little"))


def main(url: str, root: str, seed: int) -> None:
    rng = Random(seed)
    posted: SimpleQueue[Callable[[], None]] = SimpleQueue()
    writer = Writer(open_log(url), Spool(Path(root), 1 << 16), posted.put, linger=0.002)
    waiting: set[int] = set()

    def acknowledge(query: int, outcome: object) -> None:
        assert isinstance(outcome, Applied), outcome
        report(b"o", query)
        waiting.remove(query)

    for query in range(1, 1 << 40):
        writer.record(a_row(query))
        report(b"d", query)
        if rng.random() < 0.2:
            waiting.add(query)
            writer.append(a_label(query), partial(acknowledge, query))
        while not posted.empty() or len(waiting) > 50:
            posted.get()()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
