"""How soon the change detectors see a change, and how often they see one that is not there.

Simulated 0/1 losses. Beside each delay stands that of the CUSUM that knows the rates before and after, its limit set so
that it makes as many false alarms as allowed.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import log
from random import Random
from statistics import median

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from selector.drift import DETECTORS, FALSE_ALARMS, DetectorName, Watch

HELP = """\
Delays are medians, in labels, after a healthy history. The bounds are the default's (cusum): a total failure within 20
labels, .10 to .20 within 300, others within 1.4 times the CUSUM that knows; at most 3 false alarms in 1,000,000 labels.
Exits with 1 when one does not hold.

  python -m tests.benchmarks.detectors --labels 10000000"""

DEFAULT: DetectorName = "cusum"
CHANGES = ((0.1, 0.9), (0.1, 0.2), (0.05, 0.15), (0.1, 0.3), (0.2, 0.4), (0.3, 0.5), (0.2, 0.1), (0.9, 0.1))
BOUNDS = {(0.1, 0.9): 20.0, (0.1, 0.2): 300.0}
TIMES = 1.4
RATES = (0.02, 0.1, 0.3, 0.5)
STREAM = 20_000


def alarms(name: DetectorName, rate: float, seed: int) -> int:
    """False alarms in one stream of STREAM labels, the healthy rate learned from nothing."""
    rng, watch, count = Random(f"{seed} {rate}"), Watch(), 0
    for _ in range(STREAM):
        if DETECTORS[name].add(watch, float(rng.random() < rate)) is not None:
            count, watch = count + 1, watch.restarted()
    return count


def delay(name: DetectorName, change: tuple[float, float], history: int, seed: int) -> int:
    """Labels from the change to the alarm, after `history` healthy labels."""
    rng, watch = Random(f"{seed} {change}"), Watch()
    for _ in range(history):
        if DETECTORS[name].add(watch, float(rng.random() < change[0])) is not None:
            watch = watch.restarted()
    for label in range(1, STREAM):
        if DETECTORS[name].add(watch, float(rng.random() < change[1])) is not None:
            return label
    return STREAM


def informed_delay(change: tuple[float, float], seed: int = 1) -> float:
    """The median delay of the CUSUM that knows both rates, at FALSE_ALARMS."""
    rng = np.random.default_rng(seed)
    before, after = change
    gains = log((1 - after) / (1 - before)), log(after / before)
    peaks = _paths(rng, before, gains, streams=2_000, labels=10_000).reshape(10, 1_000, 2_000).max(axis=1)
    limit = np.quantile(peaks, 1 - 1_000 * FALSE_ALARMS)
    crossed = _paths(rng, after, gains, streams=1_000, labels=2_000) >= limit
    return float(np.median(np.where(crossed.any(axis=0), crossed.argmax(axis=0) + 1, 2_000)))


def _paths(
    rng: np.random.Generator, rate: float, gains: tuple[float, float], streams: int, labels: int
) -> NDArray[np.float32]:
    """The CUSUM statistic: [labels, streams]."""
    path, level = np.empty((labels, streams), np.float32), np.zeros(streams)
    for row in path:
        level = np.maximum(0, level + np.where(rng.random(streams) < rate, gains[1], gains[0]))
        row[:] = level
    return path


def main() -> int:
    """Simulate, print, and say whether the default's bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=HELP, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--labels", type=int, default=2_000_000, help="for false alarms, each rate (default: 2,000,000)"
    )
    parser.add_argument("--runs", type=int, default=101, help="for delays (default: 101)")
    parser.add_argument("--history", type=int, default=5_000, help="healthy labels before a change (default: 5,000)")
    parser.add_argument("--processes", type=int, default=2, help="run side by side (default: 2)")
    options = parser.parse_args()
    table = Table("", "knows", *DETECTORS, "at most", "holds")
    with ProcessPoolExecutor(options.processes) as pool:
        held = [_row_of_delays(pool, change, options.history, options.runs, table) for change in CHANGES]
        held += [_row_of_alarms(pool, rate, options.labels // STREAM, table) for rate in RATES]
    Console(width=120).print(table)
    return int(not all(held))


def _row_of_delays(
    pool: ProcessPoolExecutor, change: tuple[float, float], history: int, runs: int, table: Table
) -> bool:
    informed = informed_delay(change)
    delays = {n: median(pool.map(partial(delay, n, change, history), range(runs), chunksize=10)) for n in DETECTORS}
    bound = BOUNDS.get(change, TIMES * informed)
    holds = bool(delays[DEFAULT] <= bound)
    cells = [f"{labels:,.0f}" for labels in (informed, *delays.values(), bound)]
    table.add_row(f"{change[0]:.2f} -> {change[1]:.2f}", *cells, "yes" if holds else "no")
    return holds


def _row_of_alarms(pool: ProcessPoolExecutor, rate: float, streams: int, table: Table) -> bool:
    counts = {n: sum(pool.map(partial(alarms, n, rate), range(streams), chunksize=5)) for n in DETECTORS}
    millions = streams * STREAM / 1e6
    bound = FALSE_ALARMS * 1e6
    # The bound is on the rate: what was counted may exceed it by two standard errors of a Poisson count.
    holds = bool(counts[DEFAULT] <= bound * millions + 2 * (bound * millions) ** 0.5)
    cells = [f"{count / millions:.2f}" for count in counts.values()]
    table.add_row(f"alarms in a million at {rate:.2f}", "", *cells, f"{bound:.2f}", "yes" if holds else "no")
    return holds


if __name__ == "__main__":
    sys.exit(main())
