"""Kills the server without warning, again and again, under load, and holds it to what it has acknowledged.

    python -m tests.benchmarks.kills --kills 200 --seed 0

At random moments SIGKILL hits the front end, the supervisor or a worker. After each death of the front end the
log is compared with what clients were promised, and every state with the fold of the whole log from its beginning,
byte for byte. Exits with 1 if anything is not as promised.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import uvloop
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from tests.benchmarks.ordeal import Ordeal


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep database and logs there (default: a temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, progress() as bar:
        task = bar.add_task("kills", total=args.kills)
        ordeal = Ordeal(args.folder or Path(temporary), args.seed)
        started = time.monotonic()
        run(ordeal, args.kills, lambda: bar.advance(task))
    console = Console()
    console.print(table(ordeal, time.monotonic() - started))
    for violation in ordeal.violations[:50]:
        console.print(f"[red]violated:[/red] {violation}", highlight=False)
    return 1 if ordeal.violations else 0


def run(ordeal: Ordeal, kills: int, killed: Callable[[], object]) -> None:
    """Live through `kills` kills; `killed` is called at each."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ordeal.run(kills, killed))


def progress() -> Progress:
    """A progress bar that shows how many kills there were."""
    return Progress(*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())


def table(ordeal: Ordeal, seconds: float) -> Table:
    """What happened, in numbers."""
    shown = Table("", "", title="SIGKILL under load", show_header=False)
    ledgers = ordeal.ledgers.values()
    starts = ordeal.starts
    rows = {
        "kills of the front end": f"{ordeal.kills['front end']}, of them {ordeal.kills['start']} while it started",
        "kills of the supervisor": ordeal.kills["supervisor"],
        "kills of a worker": ordeal.kills["worker"],
        "predicts answered": f"{sum(ledger.answers for ledger in ledgers):,}",
        "of them with the default": f"{sum(ledger.defaults for ledger in ledgers):,}",
        "queries with feedback acknowledged": f"{sum(len(ledger.acknowledged) for ledger in ledgers):,}",
        "events in the log": f"{max(audit.learner.position for audit in ordeal.audits):,}",
        "checks": f"{sum(audit.checks for audit in ordeal.audits):,}",
        "violations": len(ordeal.violations),
        "restart, p50 / max": f"{median(starts):.2f} s / {max(starts):.2f} s",
        "time": f"{seconds:.0f} s",
    }
    for name, value in rows.items():
        shown.add_row(name, str(value))
    return shown


if __name__ == "__main__":
    sys.exit(main())
