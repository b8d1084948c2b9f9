"""What a policy costs: microseconds of select, combine and observe for each query."""

from __future__ import annotations

import argparse
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.table import Table

from selector import (
    UCB1,
    Ensemble,
    EpsilonGreedy,
    Exp3,
    Exp4,
    LinearThompson,
    LinUCB,
    MajorityVote,
    Static,
    Thompson,
    Vowpal,
)
from selector.decisions import Decision, Prediction, Query
from selector.policy import Policy

BLOCK = 500


def measure(policy: Policy[Any], models: int, queries: int) -> tuple[tuple[float, ...], int]:
    """Microseconds of select, combine and observe, in the median block of 500 queries, and the state's bytes."""
    names = tuple(f"m{i}" for i in range(models))
    rng, state, blocks = Random(1), policy.initial_state(names), []
    for start in range(0, queries, BLOCK):
        state, spent = _block(policy, state, names, start, rng)
        blocks.append(spent)
    return tuple(1e6 * median(part) / BLOCK for part in zip(*blocks, strict=True)), len(policy.encode(state))


def _block(
    policy: Policy[Any], state: Any, names: tuple[str, ...], start: int, rng: Random
) -> tuple[Any, tuple[float, float, float]]:
    """Each part in a row of its own, so that reading the clock costs nothing; feedback comes after the block."""
    said = {name: Prediction(i % 2, score=0.5) for i, name in enumerate(names)}
    queries = [Query(start + i, names, user="ann", features={"length": i % 7}) for i in range(BLOCK)]
    clock = [perf_counter()]
    selections = [(chosen,) for query in queries if (chosen := policy.select(state, query, (), {}, rng))]
    clock.append(perf_counter())
    answers = [policy.combine(state, *asked) for asked in zip(queries, selections, [said] * BLOCK, strict=True)]
    clock.append(perf_counter())
    decisions = [
        Decision("", query, 0.0, policy.name, asked, said, answer)
        for query, asked, answer in zip(queries, selections, answers, strict=True)
    ]
    losses = [{m: float(rng.random() < 0.1 + 0.1 * i) for i, m in enumerate(names)} for _ in queries]
    clock.append(perf_counter())
    for decision, known in zip(decisions, losses, strict=True):
        state = policy.observe(state, decision, known)
    clock.append(perf_counter())
    return state, (clock[1] - clock[0], clock[2] - clock[1], clock[4] - clock[3])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=5, help="models to choose from (default: 5)")
    parser.add_argument("--queries", type=int, default=20_000, help="queries, each with feedback (default: 20000)")
    options = parser.parse_args()
    table = Table("policy", "select us", "combine us", "observe us", "sum us", "state bytes")
    policies: tuple[Policy[Any], ...] = (
        Static(model="m0"),
        EpsilonGreedy(),
        UCB1(),
        Thompson(),
        Exp3(),
        Exp4(),
        MajorityVote(),
        Ensemble(),
        LinUCB(),
        LinearThompson(),
        Vowpal(),
    )
    for policy in policies:
        costs, size = measure(policy, options.models, options.queries)
        table.add_row(policy.name, *(f"{cost:.2f}" for cost in (*costs, sum(costs))), str(size))
    Console().print(table)


if __name__ == "__main__":
    main()
