"""What the learned ensemble errs on recorded outputs of real models, beside their best, their vote and references."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from selector import Ensemble, MajorityVote
from tests.benchmarks.outputs import SETS, Item, error, errors_of_models, load, replay, shuffled, with_failure

GOALS = dict(zip(SETS, (0.0056, 0.206, 0.137, 0.1005, 0.0415, 0.112, 0.233), strict=False))
STACK = dict(zip(SETS, (0.0054, 0.204, 0.135, 0.100, 0.0405, 0.109, 0.231), strict=False))  # softmax with naive Bayes
FAILURE_GOALS = {"cifar": 0.1215, "cifar labels": 0.1245}
AFTER_FAILURE, AFTER_RECOVERY = 60, 200  # queries after which the mean over runs must be near the best model alive


def run(items: Sequence[Item], in_order: bool, seed: int) -> tuple[float, float, float]:
    """Errors of the ensemble, of the best single model, and of the majority vote."""
    stream = items if in_order else shuffled(items, seed)
    return (
        error(replay(Ensemble(), stream)),
        min(errors_of_models(stream).values()),
        error(replay(MajorityVote(), stream)),
    )


def run_failure(items: Sequence[Item], seed: int) -> tuple[float, float, float, float]:
    """Errors: of the ensemble; beyond the best model alive; in 50 queries after the failure, and after the recovery."""
    stream = list(with_failure(items, seed))
    outcomes = replay(Ensemble(), stream)
    errors = errors_of_models(items)
    best, second = sorted(errors, key=errors.__getitem__)[:2]
    oracle = [
        item.predictions[second if 5_000 <= i <= 10_000 else best].output != item.label
        for i, item in enumerate(stream, 1)
    ]
    windows = [outcomes[start : start + 50] for start in (5_000 + AFTER_FAILURE, 10_000 + AFTER_RECOVERY)]
    total = error(outcomes)
    return total, total - fmean(oracle), error(windows[0]), error(windows[1])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of the recorded outputs (apis_*.csv.gz and others)")
    parser.add_argument("logits", type=Path, help="the five CIFAR models' logits and labels (.npz)")
    parser.add_argument("--sets", nargs="*", default=SETS, choices=SETS, help="instead of all")
    parser.add_argument("--shuffles", type=int, default=20, help="of each set (default: 20)")
    parser.add_argument("--failures", type=int, default=100, help="runs of the failure protocol (default: 100)")
    parser.add_argument("--processes", type=int, default=2, help="run side by side (default: 2)")
    options = parser.parse_args()
    table = Table("set", "ensemble", "best single", "majority", "goal", "softmax + naive Bayes", title="error")
    failures = Table("failure", "20K", "worst beyond oracle", "goal", "after failure", "after recovery")
    with ProcessPoolExecutor(options.processes) as pool:
        for name in options.sets:
            items, in_order = load(name, options.data, options.logits), name == "resnets"
            runs = pool.map(partial(run, items, in_order), range(1 if in_order else options.shuffles))
            ensemble, single, vote = (fmean(column) for column in zip(*runs, strict=True))
            goal = GOALS.get(name, single + 0.001)
            cells = [f"{x:.4f}" for x in (ensemble, single, vote, goal)]
            table.add_row(name, *cells, f"{STACK[name]:.4f}" if name in STACK else "")
            if name in FAILURE_GOALS and options.failures:
                rows = list(pool.map(partial(run_failure, items), range(options.failures)))
                total, beyond, fell, rose = zip(*rows, strict=True)
                figures = (fmean(total), max(beyond), FAILURE_GOALS[name], fmean(fell), fmean(rose))
                failures.add_row(name, *(f"{x:.4f}" for x in figures))
    for part in (table, failures):
        Console(width=120).print(part)


if __name__ == "__main__":
    main()
