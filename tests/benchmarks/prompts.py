"""Routing prompts by their words between a cheap and a dear language model, learned online from nothing.

One model is asked a prompt, and only whether its answer was right is learned. The price of a call varies the share of
the dear model's calls: accuracy against that share is the curve, beside that of routing at random.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from selector import LinearThompson, LinUCB
from selector.decisions import Entry, Feedback, ModelsChanged, Prediction, Query
from selector.learner import Learner
from selector.losses import ZeroOne
from selector.policy import Policy
from tests.benchmarks.model_failure import decide

PRICES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
MODELS = ("cheap", "dear")
HELP = """\
The file (.csv.gz) has a column `prompt` and for each of two models one that begins with `correct_`: the more accurate
is the dear one, whose call costs 1, the other's 0. Every order of the prompts starts from nothing. Exits with 1 when
at some price the mean accuracy is not above that of random routing at the same share.

  python -m tests.benchmarks.prompts llm2_gsm8k.csv.gz --orders 20
  python -m tests.benchmarks.prompts llm2_gsm8k.csv.gz --policy '{"name": "linear_thompson"}'"""


class Row(NamedTuple):
    """A prompt, and by model whether the answer was right."""

    prompt: str
    right: dict[str, bool]


class Course(NamedTuple):
    """Shares of one order's prompts: that the dear model was asked, that the answer was right."""

    share: float
    accuracy: float


def load(path: Path) -> list[Row]:
    """The rows of the file."""
    with gzip.open(path, "rt", newline="") as file:
        lines = list(csv.DictReader(file))
    columns = [column for column in lines[0] if column.startswith("correct_")]
    cheap, dear = sorted(columns, key=lambda column: sum(line[column] == "1" for line in lines))
    return [Row(line["prompt"], {"cheap": line[cheap] == "1", "dear": line[dear] == "1"}) for line in lines]


def play(policy: Policy[Any], rows: Sequence[Row], seed: int) -> Course:
    """The rows in an order of their own; each is answered before its feedback is learned from."""
    order, rng = list(rows), Random(f"{seed} policy")
    Random(f"{seed} world").shuffle(order)
    learner = Learner(policy, ZeroOne())
    learner.fold(Entry(1, "", None, 0.0, ModelsChanged(MODELS)))
    dear, right = 0, 0
    for i, row in enumerate(order, 1):
        said = {model: Prediction(row.right[model]) for model in MODELS}
        decision = decide(policy, learner.state, Query(i, MODELS, features={"prompt": row.prompt}), said, rng)
        learner.fold(Entry(i + 1, "", None, 0.0, Feedback((i,), label=True), (decision,)))
        dear += decision.selections[0].models == ("dear",)
        right += decision.answer.output is True
    return Course(dear / len(rows), right / len(rows))


def main() -> int:
    """Print the curve, and say whether it is above that of random routing everywhere."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=HELP, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="the prompts and which model was right (.csv.gz)")
    parser.add_argument("--orders", type=int, default=20, help="shuffles, at least 2 (default: 20)")
    parser.add_argument("--policy", default='{"name": "linucb"}', metavar="JSON", help="one that has a price")
    options = parser.parse_args()
    policy = msgspec.json.decode(options.policy, type=LinUCB | LinearThompson)
    rows = load(options.data)
    cheap, dear = (fmean(row.right[model] for row in rows) for model in MODELS)
    table = Table("price", "share of dear", "accuracy", "random", "gain", title=f"{len(rows)} prompts, {policy.name}")
    gains = []
    for price in track(PRICES, console=Console(stderr=True), transient=True):
        priced = msgspec.structs.replace(policy, price=price, costs={"cheap": 0.0, "dear": 1.0})
        courses = [play(priced, rows, seed) for seed in range(options.orders)]
        chance = [cheap + course.share * (dear - cheap) for course in courses]
        gain = [course.accuracy - luck for course, luck in zip(courses, chance, strict=True)]
        gains.append(fmean(gain))
        share, accuracy = (fmean(column) for column in zip(*courses, strict=True))
        error = stdev(gain) / sqrt(len(gain))
        cells = (f"{price:.2f}", f"{share:.3f}", f"{accuracy:.4f}", f"{fmean(chance):.4f}")
        table.add_row(*cells, f"{gains[-1]:+.4f} ± {error:.4f}")
    Console().print(table)
    return int(min(gains) <= 0)


if __name__ == "__main__":
    sys.exit(main())
