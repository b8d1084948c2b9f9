"""How soon a model that fails is seen, with labels and without; how often one is that does not; what quarantine does.

Recorded outputs of real models, drawn with replacement; one model begins to fail.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from functools import partial
from itertools import product
from math import sqrt
from pathlib import Path
from random import Random
from statistics import fmean, median
from typing import Any, NamedTuple

from msgspec import structs
from rich.console import Console
from rich.progress import track
from rich.table import Table

from selector.decisions import (
    Answer,
    Decision,
    Entry,
    Event,
    Feedback,
    HealthChanged,
    Label,
    ModelsChanged,
    Prediction,
    Query,
    Selection,
)
from selector.drift import FALSE_ALARMS
from selector.health import Monitor, quarantined
from selector.losses import ZeroOne
from selector.policies import AnyPolicy, Ensemble, Exp3, Exp4
from selector.policy import Policy
from selector.population import Population
from tests.benchmarks.model_failure import decide
from tests.benchmarks.outputs import SETS, Item, errors_of_models, load, with_failure

HELP = """\
Delays are medians and the greatest, in labels or queries, of the best two models of each set, after a healthy history:
until a change is seen at all, and until quarantine. Blamed: runs in which another model was sent into quarantine. Then
false alarms in streams without a failure, and errors of policies under the published failure without and with
quarantine. Exits with 1 when a bound does not hold: a total failure is seen within 20 labels in the median, and 100
queries without labels; at most 3 false alarms in 1,000,000 labels, on each set and over all. That takes two cores about
eight minutes; --parts, --sets and the lengths make it shorter.

  python -m tests.benchmarks.health DATA cifar10_five_models.npz"""

KINDS = ("random", "constant", "permuted", "score")
NEVER = 2_000
SHARE = 0.02
STREAM = 50_000  # queries without a failure, after which all is learned anew

CONSOLE = Console(width=140)


class Seen(NamedTuple):
    """After how many queries a failure was seen and led to quarantine, NEVER if it did not; who else was blamed."""

    seen: int
    quarantined: int
    blamed: int


class Hospital:
    """A monitor and a fold, as a front end has them."""

    def __init__(self, models: Sequence[str], policy: Policy[Any]) -> None:
        self.monitor = Monitor(models, ZeroOne(), "classification", SHARE)
        self.learner = Population(policy, ZeroOne())
        self.position = 0
        self.fold(ModelsChanged(tuple(sorted(models))))

    def fold(self, event: Event, *decisions: Decision) -> None:
        self.position += 1
        self.learner.fold(Entry(self.position, "", None, 0.0, event, decisions))

    def change(self, changes: Sequence[HealthChanged]) -> Sequence[HealthChanged]:
        for change in changes:
            self.fold(change)
        if changes:
            self.monitor.resume(self.learner.health)
        return changes


def broken(kind: str, items: Sequence[Item]) -> Callable[[Prediction, Random], Prediction]:
    """What a model that fails says instead: a class drawn at random, always the same, always another, no scores."""
    labels = sorted({item.label for item in items})
    others: dict[Label, Label] = dict(zip(labels, [*labels[1:], labels[0]], strict=True))
    change: dict[str, Callable[[Prediction, Random], Prediction]] = {
        "random": lambda said, rng: structs.replace(said, output=rng.choice(labels)),
        "constant": lambda said, rng: structs.replace(said, output=labels[0]),
        "permuted": lambda said, rng: structs.replace(said, output=others.get(said.output, said.output)),
        "score": lambda said, rng: structs.replace(said, score=None if said.score is None else 0.1),
    }
    return change[kind]


def watch(items: Sequence[Item], labelled: bool, history: int, seed: int) -> dict[tuple[str, str], Seen]:
    """A healthy history with labels alone or without any, and after it each failure of each of the best two models."""
    rng, hospital = Random(f"{seed} history"), Hospital(list(items[0].predictions), Exp4())
    for query in range(1, history + 1):
        hospital.change(_told(hospital.monitor, items[rng.randrange(len(items))], query, labelled))
    return {
        (failing, kind): _until_quarantine(deepcopy(hospital), items, failing, kind, labelled, history, seed)
        for failing in best_two(items)
        for kind in KINDS
    }


def best_two(items: Sequence[Item]) -> list[str]:
    """The models that err least."""
    errors = errors_of_models(items)
    return sorted(errors, key=errors.__getitem__)[:2]


def _until_quarantine(
    hospital: Hospital, items: Sequence[Item], failing: str, kind: str, labelled: bool, history: int, seed: int
) -> Seen:
    rng, change = Random(f"{seed} {failing} {kind}"), broken(kind, items)
    seen, blamed = NEVER, set()
    for query in range(1, NEVER):
        item = items[rng.randrange(len(items))]
        item = Item({**item.predictions, failing: change(item.predictions[failing], rng)}, item.label)
        for found in hospital.change(_told(hospital.monitor, item, history + query, labelled)):
            if found.model != failing:
                blamed |= {found.model} if found.state == "quarantined" else set()
                continue
            seen = min(seen, query)
            if found.state == "quarantined":
                return Seen(seen, query, len(blamed))
    return Seen(seen, NEVER, len(blamed))


def _told(monitor: Monitor, item: Item, query: int, labelled: bool) -> list[HealthChanged]:
    if not labelled:
        return monitor.answered(query, item.predictions)
    decision = Decision("", Query(query, ()), 0.0, "", (), item.predictions, Answer(None))
    return monitor.learned(decision, Feedback((query,), item.label))


def alarms(items: Sequence[Item], labelled: bool, seed: int) -> int:
    """False alarms in a stream of STREAM queries without failure, all learned from nothing."""
    rng, count = Random(f"{seed} peace"), 0
    hospital = Hospital(list(items[0].predictions), Exp4())
    for query in range(STREAM):
        found = hospital.change(_told(hospital.monitor, items[rng.randrange(len(items))], query, labelled))
        count += sum(change.state in ("suspect", "quarantined") for change in found)
    return count


def serve(
    policy: Policy[Any], stream: Iterator[Item], models: Sequence[str], quarantine: bool, seed: int
) -> list[bool]:
    """Of each query, whether the answer was wrong; labels come at once. Without `quarantine` nobody watches."""
    hospital, rng, wrong = Hospital(models, policy), Random(f"{seed} policy"), []
    monitor, learner = hospital.monitor, hospital.learner
    for query, item in enumerate(stream, 1):
        resting = quarantined(learner.health)
        available = tuple(sorted(set(models) - resting))
        decision = decide(policy, learner.state, Query(query, available), item.predictions, rng)
        wrong.append(decision.answer.output != item.label)
        changes = list(monitor.answered(query, decision.predictions)) if quarantine else []
        probes = monitor.probes(sorted(resting), rng)
        for model, _ in probes:
            changes += monitor.told(model, item.predictions[model], decision.predictions)
        joined = {model: item.predictions[model] for model, _ in probes}
        feedback = Feedback((query,), item.label, None, joined)
        decision = structs.replace(decision, shadows=tuple(Selection((model,), p) for model, p in probes))
        hospital.fold(feedback, decision)
        changes += monitor.learned(decision, feedback) if quarantine else []
        hospital.change(changes)
    return wrong


def failure_run(items: Sequence[Item], policy: Policy[Any], quarantine: bool, seed: int) -> list[bool]:
    """The published failure: the last model answers at random in queries 5,000 to 10,000."""
    return serve(policy, with_failure(items, seed), sorted(items[0].predictions), quarantine, seed)


def main() -> int:
    """Run, print, and say whether the bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=HELP, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of the recorded outputs")
    parser.add_argument("logits", type=Path, help="CIFAR logits of five models (.npz)")
    parser.add_argument("--parts", nargs="+", default=tuple(PARTS), choices=PARTS, help="default: all")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS, help="default: all")
    parser.add_argument("--runs", type=int, default=101, help="for delays (default: 101)")
    parser.add_argument("--history", type=int, default=2_000, help="healthy queries before (default: 2,000)")
    parser.add_argument("--labels", type=int, default=2_000_000, help="for alarms, each set (default: 2,000,000)")
    parser.add_argument("--trials", type=int, default=10, help="of the published failure (default: 10)")
    parser.add_argument("--processes", type=int, default=2, help="run side by side (default: 2)")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.processes) as pool:
        held = [PARTS[part](pool, options) for part in options.parts]
    return int(not all(held))


def _delays(pool: ProcessPoolExecutor, options: argparse.Namespace) -> bool:
    table = Table("set", "model", "failure", "seen, labels", "quarantine", "seen, none", "quarantine", "blamed")
    held = True
    for name in track(options.sets, "Delays", console=CONSOLE):
        items = load(name, options.data, options.logits)
        errors, runs = errors_of_models(items), range(options.runs)
        calls = [partial(watch, items, labelled, options.history) for labelled in (True, False)]
        told, untold = (list(pool.map(call, runs, chunksize=options.runs // 2 + 1)) for call in calls)
        for failing, kind in product(best_two(items), KINDS):
            cells, blamed = [], 0
            for found, bound in ((told, 20), (untold, 100)):
                each = [run[failing, kind] for run in found]
                cells += [_figures([run.seen for run in each]), _figures([run.quarantined for run in each])]
                blamed += sum(run.blamed > 0 for run in each)
                held &= kind == "score" or median(run.seen for run in each) <= bound
            table.add_row(name, f"{failing} ({errors[failing]:.3f})", kind, *cells, str(blamed))
    CONSOLE.print(table)
    return held


def _figures(delays: Sequence[int]) -> str:
    if median(delays) >= NEVER:
        return "-"
    most = max(delays)
    return f"{median(delays):.0f} ({'-' if most >= NEVER else most})"


def _alarms(pool: ProcessPoolExecutor, options: argparse.Namespace) -> bool:
    table, held = Table("set", "models", "labels of models", "alarms", "in a million", "without labels"), True
    watched, counts = 0, [0, 0]
    for name in track(options.sets, "False alarms", console=CONSOLE):
        items = load(name, options.data, options.logits)
        models = len(items[0].predictions)
        streams = max(1, round(options.labels / models / STREAM))
        calls = (partial(alarms, items, labelled) for labelled in (True, False))
        found = [sum(pool.map(call, range(streams), chunksize=(streams + 1) // 2)) for call in calls]
        n = streams * STREAM * models
        watched, counts = watched + n, [a + b for a, b in zip(counts, found, strict=True)]
        held &= all(_few(count, n) for count in found)
        table.add_row(name, str(models), *_counted(found, n))
    table.add_row("all", "", *_counted(counts, watched))
    CONSOLE.print("False alarms of a model:", table)
    return held and all(_few(count, watched) for count in counts)


def _counted(counts: Sequence[int], n: int) -> tuple[str, ...]:
    labelled, without = counts
    return f"{n:,}", str(labelled), f"{labelled * 1e6 / n:.2f}", f"{without} ({without * 1e6 / n:.2f})"


def _few(count: int, n: int) -> bool:
    """The bound is on the rate: what was counted may exceed it by two standard errors of a Poisson count."""
    allowed = FALSE_ALARMS * n
    return count <= allowed + 2 * sqrt(allowed)


def _errors(pool: ProcessPoolExecutor, options: argparse.Namespace) -> bool:
    table = Table("policy", "without", "with", "5,000 to 10,000", "with", "after 10,000", "with", "difference")
    items = load("cifar", options.data, options.logits)
    policies: list[AnyPolicy] = [Ensemble(), Exp4(), Exp3()]
    for policy in track(policies, "Errors", console=CONSOLE):
        runs = [list(pool.map(partial(failure_run, items, policy, q), range(options.trials))) for q in (False, True)]
        cells = []
        for first, last in ((0, 20_000), (5_000, 10_000), (10_000, 20_000)):
            cells += [f"{fmean(fmean(run[first:last]) for run in each):.4f}" for each in runs]
        gains = [fmean(after) - fmean(before) for before, after in zip(*runs, strict=True)]
        table.add_row(policy.name, *cells, f"{fmean(gains):+.4f}")
    CONSOLE.print("Errors on CIFAR under the published failure, without and with quarantine:", table)
    return True


PARTS = {"delays": _delays, "alarms": _alarms, "errors": _errors}

if __name__ == "__main__":
    sys.exit(main())
