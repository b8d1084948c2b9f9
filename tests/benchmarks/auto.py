"""Is the policy that chooses a policy as good as the best of them? On recorded outputs of models, asking all or one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from selector import UCB1, Auto, Ensemble, EpsilonGreedy, Exp3, Exp4, LinearThompson, LinUCB, MajorityVote, Thompson
from selector.policy import Policy
from tests.benchmarks.outputs import SETS, Item, compared, error, load, replay, shuffled, with_failure

HELP = """\
Mean error of each policy over seeded shuffles of each set; "failure": queries drawn from it, the last model failing in
numbers 5,000 to 10,000 of 20,000; and by how much auto is behind the best of the others, with the standard error of
that: on 2,000 rows a few shuffles tell nothing. Exits with 1 when on some set it is more than .003 behind.

  python -m tests.benchmarks.auto DATA_FOLDER cifar10_five_models.npz --shuffles 5
  python -m tests.benchmarks.auto DATA_FOLDER cifar10_five_models.npz --asks one --sets digit --shuffles 200"""

FAILURES = ("cifar failure", "cifar labels failure")
BEHIND = 0.003
RIVALS: dict[str, dict[str, Policy[Any]]] = {
    "all": {
        "ensemble": Ensemble(),
        "exp4": Exp4(),
        "exp4, restarts": Exp4(restart="cusum", share=0.01),
        "linucb": LinUCB(),
        "majority": MajorityVote(),
    },
    "one": {
        "linucb": LinUCB(),
        "linear_thompson": LinearThompson(),
        "thompson": Thompson(),
        "ucb1": UCB1(),
        "exp3": Exp3(),
        "epsilon_greedy": EpsilonGreedy(),
    },
}


def streams(items: Sequence[Item], name: str, shuffles: int) -> Iterator[Sequence[Item]]:
    """The items as they come: a set with an order of its own once."""
    for seed in range(1 if name == "resnets" else shuffles):
        if name in FAILURES:
            yield list(with_failure(items, seed))
        else:
            yield items if name == "resnets" else shuffled(items, seed)


def errors(items: Sequence[Item], name: str, shuffles: int, policy: Policy[Any]) -> list[float]:
    """Of a policy, in each of the streams of a set."""
    return [error(replay(policy, stream)) for stream in streams(items, name, shuffles)]


def main() -> int:
    """Print the table, and say whether auto keeps up."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=HELP, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of the recorded outputs (apis_*.csv.gz and others)")
    parser.add_argument("logits", type=Path, help="the five CIFAR models' logits and labels (.npz)")
    parser.add_argument("--asks", choices=RIVALS, default="all", help="how many models (default: all)")
    parser.add_argument("--sets", nargs="*", default=(*SETS, *FAILURES), choices=(*SETS, *FAILURES))
    parser.add_argument("--shuffles", type=int, default=5, help="of each set (default: 5)")
    parser.add_argument("--processes", type=int, default=2, help="run side by side (default: 2)")
    options = parser.parse_args()
    policies = {"auto": Auto(asks=options.asks), **RIVALS[options.asks]}
    table, behind = Table("set", *policies, "behind the best", title=f"error, {options.asks} asked"), []
    with ProcessPoolExecutor(options.processes) as pool:
        for name in options.sets:
            items = load(name.removesuffix(" failure"), options.data, options.logits)
            run = partial(errors, items, name, options.shuffles)
            auto, *rivals = pool.map(run, policies.values())
            gap, deviation = compared(auto, min(rivals, key=fmean))
            behind.append(gap)
            table.add_row(name, *(f"{fmean(x):.4f}" for x in (auto, *rivals)), f"{gap:+.4f} +- {deviation:.4f}")
    Console(width=150).print(table)
    return int(max(behind) > BEHIND)


if __name__ == "__main__":
    sys.exit(main())
