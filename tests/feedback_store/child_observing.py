"""A process that gives feedback about queries 1 to 200 in an order of its own: `child_observing.py url seed`.

For each line that it reads it commits eight, and prints the outcomes.
"""

from __future__ import annotations

import json
import sys
from random import Random

from feedback_store.contract import Applied, Conflict, Duplicate
from feedback_store.opening import open_log
from tests.feedback_store.samples import a_label


def main(url: str, seed: int) -> None:
    log = open_log(url)
    rng = Random(seed)
    queries = rng.sample(range(1, 201), 200)
    for _ in sys.stdin:
        group, queries = queries[:8], queries[8:]
        labels = [a_label(query, label=rng.choice((7, 8))) for query in group]
        outcomes = []
        for query, outcome in zip(group, log.commit([], labels), strict=True):
            assert isinstance(outcome, Applied | Duplicate | Conflict)
            position = outcome.entry.position if isinstance(outcome, Applied) else outcome.position
            outcomes.append((type(outcome).__name__, position, query))
        print(json.dumps(outcomes), flush=True)
    log.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
