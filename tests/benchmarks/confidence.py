"""Is the ensemble right as often as it says, and how many answers are sure at a target error of 5%?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from selector import Ensemble
from selector.confidence import Threshold, Trial
from tests.benchmarks.outputs import SETS, Item, Outcome, load, replay, shuffled, with_failure

TARGET = 0.05
SETTLED = 1_000  # labels before calibration is judged
LATER = 2_000


def calibration_error(outcomes: Sequence[Outcome], bins: int = 10) -> float:
    """The mean distance of confidence and accuracy over bins of equal mass."""
    ordered = sorted((outcome.answer.confidence or 0.0, not outcome.wrong) for outcome in outcomes)
    n = len(ordered)
    cuts = [ordered[b * n // bins : (b + 1) * n // bins] for b in range(bins)]
    return sum(abs(sum(c for c, _ in cut) - sum(right for _, right in cut)) for cut in cuts) / n


def marked(outcomes: Sequence[Outcome]) -> list[bool]:
    """Which answers were sure when they were given."""
    threshold, trial, marks = Threshold(target_error=TARGET), Trial(), []
    for answer, wrong in outcomes:
        marks.append(threshold.sure(trial, answer.confidence))
        trial = threshold.observe(trial, answer.confidence or 0.0, wrong)
    return marks


def error_among_sure(outcomes: Sequence[Outcome], marks: Sequence[bool]) -> float:
    """The share of sure answers that were wrong."""
    wrong = [outcome.wrong for outcome, mark in zip(outcomes, marks, strict=True) if mark]
    return fmean(wrong) if wrong else 0.0


def run(items: Sequence[Item], in_order: bool, seed: int) -> tuple[float, float, float, float]:
    """Calibration error, error among sure answers, sure share of all and of those after 2,000 labels."""
    outcomes = replay(Ensemble(), items if in_order else shuffled(items, seed))
    marks = marked(outcomes)
    later = marks[LATER:]
    return (
        calibration_error(outcomes[SETTLED:]),
        error_among_sure(outcomes, marks),
        fmean(marks),
        fmean(later) if later else 0.0,
    )


def run_failure(items: Sequence[Item], seed: int) -> tuple[float, float]:
    """Error among sure answers, and their share, on queries 5,500 to 10,000 of the failure protocol."""
    outcomes = replay(Ensemble(), with_failure(items, seed, 10_000))
    marks = marked(outcomes)
    return error_among_sure(outcomes[5_500:], marks[5_500:]), fmean(marks[5_500:])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of the recorded outputs (apis_*.csv.gz and others)")
    parser.add_argument("logits", type=Path, help="the five CIFAR models' logits and labels (.npz)")
    parser.add_argument("--sets", nargs="*", default=SETS, choices=SETS, help="instead of all")
    parser.add_argument("--shuffles", type=int, default=200, help="of each set (default: 200)")
    parser.add_argument("--failures", type=int, default=50, help="runs of the failure protocol (default: 50)")
    parser.add_argument("--processes", type=int, default=2, help="run side by side (default: 2)")
    options = parser.parse_args()
    table = Table("set", "calibration error", "runs above 5%", "error when sure", "sure share", "after 2,000")
    failures = Table("failure, 5,500 to 10,000", "runs above 5%", "error when sure", "sure share")
    with ProcessPoolExecutor(options.processes) as pool:
        for name in options.sets:
            items, in_order = load(name, options.data, options.logits), name == "resnets"
            runs = list(pool.map(partial(run, items, in_order), range(1 if in_order else options.shuffles)))
            gap, errors, share, later = zip(*runs, strict=True)
            exceeding = fmean(e > TARGET for e in errors)
            cells = (fmean(gap), exceeding, fmean(errors), fmean(share), fmean(later))
            table.add_row(name, *(f"{x:.4f}" for x in cells))
            if name.startswith("cifar") and options.failures:
                errors, share = zip(*pool.map(partial(run_failure, items), range(options.failures)), strict=True)
                figures = (fmean(e > TARGET for e in errors), fmean(errors), fmean(share))
                failures.add_row(name, *(f"{x:.4f}" for x in figures))
    for part in (table, failures):
        Console(width=120).print(part)


if __name__ == "__main__":
    main()
