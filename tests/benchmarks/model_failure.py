"""The published model-failure experiment, run through the real contract: select, combine, and the learner's fold.

Five image classifiers, 20,000 queries drawn with replacement; the best model answers a uniformly random class
during queries 5,000 to 10,000. Nobody tells the policies.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property, partial
from math import sqrt
from random import Random
from statistics import fmean, stdev
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from selector import AnyPolicy, Exp3, Exp4
from selector.decisions import Decision, Entry, Feedback, ModelsChanged, Prediction, Query, Selection
from selector.learner import Learner
from selector.losses import ZeroOne
from selector.policy import Policy

HELP = """\
Prints each policy's mean cumulative error after 5K, 10K and 20K queries with its standard error, beside a rerun by
the published rules and the published curve. Exits with 1 when a mean is further from its reference than
chance explains (3.5 standard errors and the reference's rounding).

  python -m tests.benchmarks.model_failure cifar10_five_models.npz --published model_failure_published_curve.csv
  python -m tests.benchmarks.model_failure models.npz --policy '{"name": "thompson"}' --trials 10

The .npz holds `logits` (images, models, classes) and `labels` (images,); the curve's CSV has the columns `queries`
and one for each published policy."""


class Experiment(msgspec.Struct, frozen=True, dict=True):
    """`outputs[image][model]` is a class; model `failing` is replaced by chance for queries in `failure`, inclusive."""

    outputs: list[tuple[int, ...]]
    labels: list[int]
    classes: int
    failing: int
    failure: tuple[int, int] = (5_000, 10_000)
    checkpoints: tuple[int, ...] = (5_000, 10_000, 20_000)

    def best_of(self, failing: bool) -> int:
        """The model with the fewest errors on all images, of those that are alive."""
        alive = [m for m in range(len(self.outputs[0])) if not (failing and m == self.failing)]
        return min(alive, key=self.misses.__getitem__)

    @cached_property
    def misses(self) -> list[int]:
        """Each model's errors on all images."""
        pairs = zip(self.outputs, self.labels, strict=True)
        wrong = [[output != label for output in outputs] for outputs, label in pairs]
        return [sum(column) for column in zip(*wrong, strict=True)]

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(f"m{i + 1}" for i in range(len(self.outputs[0])))


class Row(msgspec.Struct, frozen=True):
    """A policy, what a rerun by the same rules reached in how many trials, and its column in the published curve."""

    title: str
    policy: Policy[Any]
    reference: tuple[float, ...] = ()
    reference_trials: int = 1
    published: str = ""


ROWS = (
    Row("Exp3, eta .05, share 0", Exp3(learning_rate=0.05, share=0), (0.116, 0.168, 0.154), 200, "exp3"),
    Row("Exp3, eta .05, share .001", Exp3(learning_rate=0.05, share=0.001), (0.143, 0.187, 0.165), 100),
    Row("Exp4, eta .2, share 0", Exp4(learning_rate=0.2, share=0), (0.104, 0.182, 0.182), 100, "exp4"),
    Row("Exp4, eta .2, share .001", Exp4(learning_rate=0.2, share=0.001), (0.104, 0.145, 0.126), 100),
)


class Course(msgspec.Struct, frozen=True):
    """Of each query, 1 if the answer was wrong; and the same for the best model that was alive."""

    errors: list[int]
    oracle: list[int]


def run_trial(experiment: Experiment, policy: Policy[Any], seed: int) -> list[float]:
    """The cumulative error at each checkpoint. Equal seeds draw equal images and random answers for every policy."""
    errors = run_course(experiment, policy, seed).errors
    return [sum(errors[:i]) / i for i in experiment.checkpoints]


def run_course(experiment: Experiment, policy: Policy[Any], seed: int, shadow_share: float = 0.0) -> Course:
    """One run in full. In a share of the queries all models that were not asked are asked too, after the answer."""
    world, rng = Random(f"{seed} world"), Random(f"{seed} policy")
    models, said = experiment.models, [Prediction(c) for c in range(experiment.classes)]
    learner = Learner(policy, ZeroOne())
    learner.fold(Entry(1, "", None, 0.0, ModelsChanged(models)))
    course = Course([], [])
    for i in range(1, experiment.checkpoints[-1] + 1):
        image, chance = world.randrange(len(experiment.labels)), world.randrange(experiment.classes)
        outputs = list(experiment.outputs[image])
        failing = experiment.failure[0] <= i <= experiment.failure[1]
        if failing:
            outputs[experiment.failing] = chance
        predictions = {model: said[output] for model, output in zip(models, outputs, strict=True)}
        decision = decide(policy, learner.state, Query(i, models), predictions, rng)
        label = experiment.labels[image]
        course.errors.append(int(decision.answer.output != label))
        course.oracle.append(int(outputs[experiment.best_of(failing)] != label))
        decision, joined = _shadowed(decision, predictions, shadow_share, rng)
        learner.fold(Entry(i + 1, "", None, 0.0, Feedback((i,), label, None, joined), (decision,)))
    return course


def _shadowed(
    decision: Decision, outputs: dict[str, Prediction], share: float, rng: Random
) -> tuple[Decision, dict[str, Prediction]]:
    """The decision with its shadow queries, if any, and what they gave."""
    if share == 0 or rng.random() >= share:
        return decision, {}
    joined = {model: output for model, output in outputs.items() if model not in decision.predictions}
    return msgspec.structs.replace(decision, shadows=(Selection(tuple(joined), share),)), joined


def decide(policy: Policy[Any], state: Any, query: Query, outputs: dict[str, Prediction], rng: Random) -> Decision:
    """Ask until the policy has enough; every model answers at once."""
    selections: list[Selection] = []
    predictions: dict[str, Prediction] = {}
    while selection := policy.select(state, query, selections, predictions, rng):
        selections.append(selection)
        predictions.update({model: outputs[model] for model in selection.models})
    answer = policy.combine(state, query, selections, predictions)
    return Decision("", query, 0.0, policy.name, tuple(selections), predictions, answer)


def load(path: str) -> Experiment:
    """The five models' most likely classes; the last model, the best of them, is the one to fail."""
    with np.load(path) as data:
        logits, labels = data["logits"], data["labels"]
    outputs = [tuple(row) for row in logits.argmax(axis=2).tolist()]
    return Experiment(outputs, labels.tolist(), classes=logits.shape[2], failing=logits.shape[1] - 1)


def run(experiment: Experiment, row: Row, trials: int, processes: int) -> tuple[list[float], list[float]]:
    """Means and standard errors at the checkpoints."""
    with ProcessPoolExecutor(processes) as pool:
        curves = pool.map(partial(run_trial, experiment, row.policy), range(trials))
        columns = list(zip(*track(curves, row.title, trials, console=Console(stderr=True)), strict=True))
    return [fmean(c) for c in columns], [stdev(c) / sqrt(trials) for c in columns]


def strays(row: Row, means: Sequence[float], errors: Sequence[float], trials: int) -> bool:
    """Is a mean further from the reference than the standard errors of both and the reference's rounding allow?"""
    widen = sqrt(1 + trials / row.reference_trials)
    return any(
        abs(mean - reference) > 3.5 * error * widen + 0.0005
        for mean, reference, error in zip(means, row.reference, errors, strict=False)
    )


def published(path: str | None, column: str, checkpoints: Sequence[int]) -> list[float]:
    """The published curve at the checkpoints; nothing without a file or a column."""
    if path is None or not column:
        return []
    with open(path, newline="") as file:
        curve = {int(float(line["queries"])): float(line[column]) for line in csv.DictReader(file)}
    return [curve[q] for q in checkpoints]


def main() -> int:
    """Run, print, and say whether the references hold."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=HELP, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", help="the models' logits and the labels (.npz)")
    parser.add_argument("--published", metavar="CSV", help="the published curve, to print beside")
    parser.add_argument("--trials", type=int, default=50, help="repetitions, at least 2 (default: 50)")
    parser.add_argument("--processes", type=int, default=2, help="run side by side (default: 2)")
    parser.add_argument("--policy", action="append", metavar="JSON", help="instead of the defaults; may be repeated")
    options = parser.parse_args()
    custom = [Row(p, msgspec.json.decode(p, type=AnyPolicy)) for p in options.policy or ()]
    experiment = load(options.data)
    table = Table("policy", *(f"{q:,}" for q in experiment.checkpoints), "rerun", "published", "holds")
    failed = False
    for row in custom or ROWS:
        means, errors = run(experiment, row, options.trials, options.processes)
        stray = strays(row, means, errors, options.trials)
        failed = failed or stray
        cells = [f"{mean:.4f} ± {error:.4f}" for mean, error in zip(means, errors, strict=True)]
        curve = published(options.published, row.published, experiment.checkpoints)
        verdict = ("no" if stray else "yes") if row.reference else ""
        table.add_row(row.title, *cells, _figures(row.reference), _figures(curve), verdict)
    Console(width=140).print(table)
    return int(failed)


def _figures(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.3f}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
