"""How policies come through the failure of the best model, by what they are told, and what readiness costs in peace.

The published model-failure experiment; beside the mean cumulative error: the worst run against the best model alive in
that same run, and the mean over runs in windows of 50 queries.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from selector import Ensemble, Exp3, Exp4, Thompson
from selector.policy import Policy
from tests.benchmarks.model_failure import Course, Experiment, load, run_course

HELP = """\
Back after: the first query, from the failure (recovery) on, from which a window of 50 queries is within .02 of the
best model alive, mean over runs. `peace`: the error less that of the same policy without restarts, and without probing,
when no model fails. Exits with 1 when a bound does not hold.

  python -m tests.benchmarks.recovery cifar10_five_models.npz --trials 100"""

WINDOW = 50
NEAR = 0.02


class Row(msgspec.Struct, frozen=True):
    """A policy, the share of shadow queries, the same policy without restarts, and what must hold."""

    title: str
    policy: Policy[Any]
    plain: Policy[Any]
    shadow_share: float = 0.0
    error: float = 1.0
    worst: float = 1.0
    back: tuple[int, int] = (100_000, 100_000)


PLAIN = Thompson(restart="none", exploration=0, probing=0)
ROWS = (
    Row("all asked, labels: ensemble", Ensemble(), Ensemble(), 0, 0.1245, 0.005, (60, 200)),
    Row(
        "the same: exp4 with restarts", Exp4(restart="cusum", share=0.01), Exp4(share=0.01), 0, 0.1245, 0.005, (60, 200)
    ),
    Row("one asked, labels, 5% shadow: thompson", Thompson(), PLAIN, 0.05, 0.127, 0.005, (500, 1_000)),
    Row("one asked, its loss only: thompson", Thompson(), PLAIN, 0, 0.142, 0.03, (500, 1_000)),
    Row("the same by the published rule: thompson", PLAIN, PLAIN),
    Row("the same: exp3, eta .05, share 0", Exp3(share=0), Exp3(share=0)),
)
COST = 0.002


def runs(
    experiment: Experiment, policy: Policy[Any], shadow_share: float, pool: ProcessPoolExecutor, trials: int, title: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Errors of the policy and of the best model alive, 0 or 1: [trials, queries] each."""
    courses: Iterable[Course] = pool.map(
        partial(run_course, experiment, policy, shadow_share=shadow_share), range(trials)
    )
    pairs = [(course.errors, course.oracle) for course in track(courses, title, trials, console=Console(stderr=True))]
    errors, oracle = np.array(pairs).swapaxes(0, 1)
    return errors, oracle


def back_after(gaps: NDArray[np.float64], since: int, until: int) -> int:
    """Queries from `since` to the first window that is near the oracle; the rest of the stretch if none is."""
    for start in range(since, until - WINDOW, 10):
        if gaps[start : start + WINDOW].mean() <= NEAR:
            return start - since
    return until - since


def main() -> int:
    """Run, print, and say whether the bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=HELP, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", help="the models' logits and the labels (.npz)")
    parser.add_argument("--trials", type=int, default=100, help="repetitions (default: 100)")
    parser.add_argument("--processes", type=int, default=2, help="run side by side (default: 2)")
    options = parser.parse_args()
    experiment = load(options.data)
    table = Table(
        "policy", "5K", "10K", "20K", "at most", "worst run", "at most", "back after", "at most", "peace", "holds"
    )
    with ProcessPoolExecutor(options.processes) as pool:
        held = [measure(experiment, row, pool, options.trials, table) for row in ROWS]
    Console(width=170).print(table)
    return int(not all(held))


def measure(experiment: Experiment, row: Row, pool: ProcessPoolExecutor, trials: int, table: Table) -> bool:
    """One row of the table: do its bounds hold?"""
    errors, oracle = runs(experiment, row.policy, row.shadow_share, pool, trials, row.title)
    means = [errors[:, :queries].mean() for queries in experiment.checkpoints]
    worst = (errors.mean(axis=1) - oracle.mean(axis=1)).max()
    gaps = (errors - oracle).mean(axis=0)
    first, last = experiment.failure
    back = back_after(gaps, first, last), back_after(gaps, last, experiment.checkpoints[-1])
    cost = 0.0
    if row.policy != row.plain:
        never = msgspec.structs.replace(experiment, failure=(sys.maxsize, sys.maxsize))
        ready, plain = [runs(never, p, row.shadow_share, pool, trials, "peace")[0] for p in (row.policy, row.plain)]
        cost = ready.mean() - plain.mean()
    holds = means[-1] <= row.error and worst <= row.worst and cost <= COST
    holds = holds and all(b <= bound for b, bound in zip(back, row.back, strict=True))
    bounds = [f"{row.error:.4f}", f"{row.worst:.3f}", f"{row.back[0]:,} / {row.back[1]:,}"]
    if row.error == 1.0:
        bounds = ["", "", ""]
    table.add_row(
        row.title,
        *(f"{mean:.4f}" for mean in means),
        bounds[0],
        f"{worst:+.4f}",
        bounds[1],
        f"{back[0]:,} / {back[1]:,}",
        bounds[2],
        f"{cost:+.4f}",
        "yes" if holds else "no",
    )
    return bool(holds)


if __name__ == "__main__":
    sys.exit(main())
