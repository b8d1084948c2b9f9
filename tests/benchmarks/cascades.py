"""What cascades save on recorded outputs of real models, online from nothing, beside what others have published.

Accuracy must not fall short of the best model's by more than .005; costs are those of all that was asked, learning
included. Then the same on the second half, where the first, its costs not counted, has taught as `windjammer warm-up`
does; the accuracy at budgets beside FrugalML's curve; and that of two language models chosen by the prompt.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from random import Random
from statistics import fmean
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from selector import Cascade
from selector.decisions import Answer, Decision, Entry, Feature, Feedback, ModelsChanged, Prediction, Query, Selection
from selector.learner import Learner
from selector.losses import ZeroOne
from tests.benchmarks.model_failure import decide
from tests.benchmarks.outputs import Item, load

SPEECH = {"google": 60.0, "microsoft": 41.0, "ibm": 25.0, "deepspeech": 0.02}
TEXT = {"google": 2.5, "baidu": 3.5, "amazon": 0.75}
COSTS: dict[str, dict[str, float]] = {
    "rafdb": {"google": 15.0, "facepp": 5.0, "microsoft": 10.0, "cnn": 0.001},
    "audiomnist": SPEECH,
    "waimai": TEXT | {"bixin": 0.001},
    "yelp": TEXT | {"vader": 0.001},
    "digit": SPEECH,
    "cifar": {"m0": 0.15, "m1": 0.08, "m2": 0.31, "m3": 0.04, "m4": 1.0},
}
GOALS = {"rafdb": 0.5, "audiomnist": 0.8, "waimai": 0.4, "yelp": 0.15, "cifar": 0.37}
FRUGAL = {1: 0.658, 2: 0.680, 3: 0.696, 4: 0.712, 4.5: 0.720, 5: 0.726, 6: 0.732, 8: 0.744, 10: 0.761, 15: 0.777}
LEARNED = 5_000
MODELS = ("mixtral", "gpt4")
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Spent(NamedTuple):
    """One query: was the answer wrong, and what was paid for it."""

    wrong: bool
    cost: float


def stream(
    policy: Cascade,
    items: Sequence[Item],
    seed: int,
    features: Sequence[dict[str, Feature]] | None = None,
    taught: int = 0,
) -> list[Spent]:
    """Each item in turn: answered, then learned from; the first `taught` are labelled outputs of all models."""
    learner, rng, spent = Learner(policy, ZeroOne()), Random(f"{seed} policy"), []
    models = tuple(sorted(items[0].predictions))
    learner.fold(Entry(1, "", None, 0.0, ModelsChanged(models)))
    for i, item in enumerate(items, 1):
        query = Query(i, models, features=features[i - 1] if features else {})
        if i <= taught:
            row = Decision("", query, 0.0, "", (Selection(models, 1.0),), item.predictions, Answer(None))
            learner.fold(Entry(i + 1, "", None, 0.0, Feedback((i,), item.label), (row,)))
            continue
        decision = decide(policy, learner.state, query, item.predictions, rng)
        cost = sum(policy.costs[model] for model in decision.predictions)
        spent.append(Spent(decision.answer.output != item.label, cost))
        learner.fold(Entry(i + 1, "", None, 0.0, Feedback((i,), item.label), (decision,)))
    return spent


def in_order(items: Sequence[Item], seed: int) -> list[Item]:
    """All items in a seeded order."""
    order = list(items)
    Random(seed).shuffle(order)
    return order


def run_guarantee(name: str, items: Sequence[Item], seed: int) -> tuple[float, float, float]:
    """Errors beyond the best model's, as a share; the share of that model's cost saved; in the second half."""
    spent, costs = stream(Cascade(costs=COSTS[name]), in_order(items, seed), seed), COSTS[name]
    misses = {m: sum(item.predictions[m].output != item.label for item in items) for m in costs}
    best = min(misses, key=misses.__getitem__)
    late = spent[len(spent) // 2 :]
    saved = [1.0 - fmean(query.cost for query in part) / costs[best] for part in (spent, late)]
    return (sum(query.wrong for query in spent) - misses[best]) / len(spent), saved[0], saved[1]


def run_taught(name: str, items: Sequence[Item], seed: int) -> tuple[float, float]:
    """On the second half, after the first: errors beyond the best model's, as a share; that model's cost saved."""
    order, costs, half = in_order(items, seed), COSTS[name], len(items) // 2
    spent, asked = stream(Cascade(costs=costs), order, seed, taught=half), order[half:]
    best = min(costs, key=lambda m: sum(item.predictions[m].output != item.label for item in items))
    missed = sum(item.predictions[best].output != item.label for item in asked)
    gap = (sum(query.wrong for query in spent) - missed) / len(spent)
    return gap, 1.0 - fmean(query.cost for query in spent) / costs[best]


def run_budget(items: Sequence[Item], budget: float, seed: int) -> tuple[float, float, float, float]:
    """Accuracy and cost at a budget: of all queries, and of those after 5,000."""
    spent = stream(Cascade(costs=COSTS["rafdb"], budget=budget), in_order(items, seed), seed)
    parts = (spent, spent[LEARNED:])
    figures = [(1.0 - fmean(q.wrong for q in part), fmean(q.cost for q in part)) for part in parts]
    return figures[0] + figures[1]


def run_prompts(path: Path, share: float, seed: int) -> tuple[float, float, float]:
    """The share of queries that the dear model was asked, accuracy, and that of asking it as often at random."""
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    Random(seed).shuffle(rows)
    items = [
        Item({m: Prediction(4 * i + wrong * (row[f"correct_{m}"] == "0")) for wrong, m in enumerate(MODELS, 1)}, 4 * i)
        for i, row in enumerate(rows)  # no answer is ever given twice: only the prompt can tell
    ]
    features: list[dict[str, Feature]] = [{"prompt": row["prompt"]} for row in rows]
    policy = Cascade(costs={"gpt4": 1.0, "mixtral": 0.01}, budget=share)
    spent = stream(policy, items, seed, features)
    asked = fmean(query.cost >= 1.0 for query in spent)
    cheap, dear = (fmean(item.predictions[m].output == item.label for item in items) for m in MODELS)
    return asked, 1.0 - fmean(query.wrong for query in spent), cheap + asked * (dear - cheap)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of the recorded outputs (apis_*.csv.gz and others)")
    parser.add_argument("logits", type=Path, help="the five CIFAR models' logits and labels (.npz)")
    parser.add_argument("--sets", nargs="*", default=list(COSTS), choices=list(COSTS), help="instead of all")
    parser.add_argument("--shuffles", type=int, default=100, help="of each set (default: 100)")
    parser.add_argument("--taught", type=int, default=20, help="shuffles whose first half teaches (default: 20)")
    parser.add_argument("--budgets", nargs="*", type=float, default=list(FRUGAL), help="instead of FrugalML's")
    parser.add_argument("--shares", nargs="*", type=float, default=list(SHARES), help="of calls to the dear model")
    parser.add_argument("--processes", type=int, default=2, help="run side by side (default: 2)")
    options = parser.parse_args()
    seeds, console = range(options.shuffles), Console(width=120)
    with ProcessPoolExecutor(options.processes) as pool:
        table = Table("set", "beyond best", "95% below", "saved", "goal", "saved in second half", title="accuracy kept")
        for name in options.sets:
            items = load(name, options.data, options.logits)
            gaps, saved, late = zip(*pool.map(partial(run_guarantee, name, items), seeds), strict=True)
            figures = (fmean(gaps), percentile(gaps, 0.95), fmean(saved), GOALS.get(name), fmean(late))
            table.add_row(name, *("" if x is None else f"{x:.4f}" for x in figures))
        console.print(table)
        if options.taught:
            table = Table("set", "beyond best", "at most", "saved", title="on the second half, taught by the first")
            for name in options.sets:
                items = load(name, options.data, options.logits)
                gaps, saved = zip(*pool.map(partial(run_taught, name, items), range(options.taught)), strict=True)
                table.add_row(name, *(f"{x:.4f}" for x in (fmean(gaps), max(gaps), fmean(saved))))
            console.print(table)
        table = Table("budget", "accuracy", "cost", "after 5,000", "cost", "FrugalML", title="rafdb")
        items = load("rafdb", options.data, options.logits)
        for budget in options.budgets:
            columns = zip(*pool.map(partial(run_budget, items, budget), seeds), strict=True)
            table.add_row(
                f"{budget:g}", *(f"{fmean(column):.4f}" for column in columns), f"{FRUGAL.get(budget, 0):.3f}"
            )
        console.print(table)
        table = Table("budget", "share asked", "accuracy", "at random", title="two language models, by prompt")
        for share in options.shares:
            path = options.data / "llm2_gsm8k.csv.gz"
            columns = zip(*pool.map(partial(run_prompts, path, share), seeds), strict=True)
            table.add_row(f"{share:g}", *(f"{fmean(column):.4f}" for column in columns))
        console.print(table)


if __name__ == "__main__":
    main()
