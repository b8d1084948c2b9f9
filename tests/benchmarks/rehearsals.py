"""Is exact replay exact? Policies on the log of another, against their own record, decision for decision."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace as changed
from rich.console import Console
from rich.table import Table

from feedback_store.contract import Pending, Row
from feedback_store.memory import MemoryLog
from selector import Cascade, Ensemble, Exp3, Exp4, Thompson
from selector.decisions import Decision, Feedback, ModelsChanged, Query, encode
from selector.fold import Fold
from selector.losses import ZeroOne
from selector.policy import Policy
from selector.population import Population
from selector.replay.rehearsal import Judged, Rehearsal, course
from tests.benchmarks.model_failure import decide
from tests.benchmarks.outputs import Item, load, shuffled

POLICIES: tuple[Policy[Any], ...] = (Exp3(), Exp4(), Thompson(), Ensemble(), Cascade())
SEED = 1


def run(policy: Policy[Any], items: Sequence[Item]) -> tuple[MemoryLog, list[Decision], Population]:
    """A server's life: decide, log, learn from the label before the next query. The log, the record, what is known."""
    log, record, learner, rng = (
        MemoryLog(),
        list[Decision](),
        Fold(policy=policy, loss=ZeroOne()).everyone(),
        Random(SEED),
    )
    models = tuple(sorted(items[0].predictions))
    log.commit([], [Pending("a", None, 0.0, ModelsChanged(models))])
    learner.fold_all(log.entries("a"))
    for i, item in enumerate(items, 1):
        decision = decide(policy, learner.state, Query(i, models), item.predictions, rng)
        record.append(changed(decision, application="a", at=float(i)))
        event = Pending("a", None, i + 0.5, Feedback((i,), label=item.label))
        log.commit([Row(i, "a", None, None, encode(record[-1]))], [event])
        learner.fold_all(log.entries("a", learner.position))
    return log, record, learner


def rehearse(rehearsal: Rehearsal, log: MemoryLog) -> list[Decision]:
    """The decisions that a policy makes on the log."""
    made = []
    for event in course((Judged(*pair) for pair in log.judged("a")), log.entries("a")):
        if isinstance(event, Judged):
            made.append(rehearsal.decide(event))
        else:
            rehearsal.fold(event)
    return made


def main() -> None:
    """Print one row a policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logits", type=Path, help="the five CIFAR models' logits and labels (.npz)")
    parser.add_argument("--queries", type=int, default=10_000, help="of a seeded shuffle (default: 10000)")
    options = parser.parse_args()
    items = shuffled(load("cifar", options.logits.parent, options.logits), SEED)[: options.queries]
    asked_all, _, _ = run(Exp4(), items)
    table = Table("policy", "decisions", "equal", "state from logged choices", "state from own", "decisions/s")
    for policy in POLICIES:
        fold = Fold(policy=policy, loss=ZeroOne())
        log, record, learner = run(policy, items)
        following, own = Rehearsal(fold, SEED, follow=True), Rehearsal(fold, SEED)
        rehearse(following, log)
        started = time.perf_counter()
        made = rehearse(own, asked_all)
        rate = len(made) / (time.perf_counter() - started)
        equal = sum(a == b for a, b in zip(made, record, strict=True))
        states = ("byte-equal" if r.population.encode() == learner.encode() else "differs" for r in (following, own))
        table.add_row(policy.name, f"{len(made):,}", f"{equal:,}", *states, f"{rate:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
