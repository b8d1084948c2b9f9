"""Recorded outputs of real models, replayed through a policy: select, combine, and the learner's fold."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator, Sequence
from math import nan, sqrt
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np

from selector.decisions import Answer, Entry, Feedback, ModelsChanged, Prediction, Query
from selector.learner import Learner
from selector.losses import ZeroOne
from selector.policy import Policy
from tests.benchmarks.model_failure import decide

SETS = ("audiomnist", "rafdb", "digit", "waimai", "yelp", "resnets", "dnn3", "cifar", "cifar labels")
FILES = {"resnets": "resnets_distort_dev.csv.gz", "dnn3": "dnn3_contrast.csv.gz"}
ROWS = 12_000


class Item(NamedTuple):
    """What each model said of one input, and the truth."""

    predictions: dict[str, Prediction]
    label: int


class Outcome(NamedTuple):
    """An answer and whether it was wrong."""

    answer: Answer
    wrong: bool


def load(name: str, data: Path, logits: Path) -> list[Item]:
    """The recorded outputs of one of SETS."""
    if name.startswith("cifar"):
        return _from_logits(logits, scores=name == "cifar")
    return _from_csv(data / FILES.get(name, f"apis_{name}.csv.gz"))


def shuffled(items: Sequence[Item], seed: int) -> list[Item]:
    """The first 12,000 of a seeded shuffle."""
    order = list(items)
    Random(seed).shuffle(order)
    return order[:ROWS]


def with_failure(items: Sequence[Item], seed: int, queries: int = 20_000) -> Iterator[Item]:
    """Items drawn with replacement; the last model answers at random in queries 5,000 to 10,000, scores as before."""
    rng, labels = Random(f"{seed} world"), sorted({item.label for item in items})
    for i in range(1, queries + 1):
        item, chance = items[rng.randrange(len(items))], labels[rng.randrange(len(labels))]
        if 5_000 <= i <= 10_000:
            failing = max(item.predictions)
            failed = Prediction(chance, score=item.predictions[failing].score)
            item = Item({**item.predictions, failing: failed}, item.label)
        yield item


def replay(policy: Policy[Any], items: Iterable[Item]) -> list[Outcome]:
    """Every answer is given before its label is learned from."""
    learner, rng, outcomes = Learner(policy, ZeroOne()), Random(1), []
    models: tuple[str, ...] = ()
    for i, item in enumerate(items, 1):
        if not models:
            models = tuple(sorted(item.predictions))
            learner.fold(Entry(1, "", None, 0.0, ModelsChanged(models)))
        decision = decide(policy, learner.state, Query(i, models), item.predictions, rng)
        outcomes.append(Outcome(decision.answer, decision.answer.output != item.label))
        learner.fold(Entry(i + 1, "", None, 0.0, Feedback((i,), item.label), (decision,)))
    return outcomes


def error(outcomes: Sequence[Outcome]) -> float:
    """The share of wrong answers."""
    return sum(outcome.wrong for outcome in outcomes) / max(1, len(outcomes))


def compared(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """The mean difference between two policies' errors in the same streams, and its standard error (nan of one)."""
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    return fmean(differences), stdev(differences) / sqrt(len(differences)) if len(differences) > 1 else nan


def errors_of_models(items: Sequence[Item]) -> dict[str, float]:
    """The share of wrong predictions of each model."""
    return {m: sum(i.predictions[m].output != i.label for i in items) / len(items) for m in items[0].predictions}


def _from_csv(path: Path) -> list[Item]:
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    models = sorted(column.removeprefix("pred_") for column in rows[0] if column.startswith("pred_"))
    items = []
    for row in rows:
        scores = {m: float(row[f"conf_{m}"]) for m in models if f"conf_{m}" in row}
        said = {m: Prediction(int(row[f"pred_{m}"]), score=scores.get(m)) for m in models}
        items.append(Item(said, int(row["label"])))
    return items


def _from_logits(path: Path, scores: bool) -> list[Item]:
    with np.load(path) as data:
        logits, labels = data["logits"].astype(float), data["labels"].tolist()
    odds = np.exp(logits - logits.max(axis=2, keepdims=True))
    top = (odds.max(axis=2) / odds.sum(axis=2)).tolist()
    outputs = logits.argmax(axis=2).tolist()
    return [
        Item({f"m{j}": Prediction(c, score=top[i][j] if scores else None) for j, c in enumerate(outputs[i])}, labels[i])
        for i in range(len(labels))
    ]
