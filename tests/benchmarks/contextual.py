"""Contextual bandits on classification data: a model for each class, which says that class; one is asked a query.

Progressive loss: every answer is given before its feedback is learned from.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from rich.console import Console
from rich.table import Table

from selector import Auto, LinearThompson, LinUCB, Vowpal
from selector.decisions import Entry, Feature, Feedback, ModelsChanged, Prediction, Query
from selector.learner import Learner
from selector.losses import ZeroOne
from selector.policies.vowpal_text import example
from selector.policy import Policy
from tests.benchmarks.model_failure import decide
from tests.benchmarks.outputs import compared

SETS = ("elec2", "wisdm", "mnist_5k", "timit_phoneme")
NEVER = 1_000_000
BEHIND = 0.003
POLICIES: tuple[Policy[Any], ...] = (
    LinUCB(),
    LinearThompson(),
    Auto(asks="one"),
    Vowpal(exploration="squarecb"),
    Vowpal(exploration="cover"),
    Vowpal(exploration="bag"),
    Vowpal(exploration="regcb"),
    Vowpal(exploration="cover", save_every=NEVER),
    Vowpal(exploration="bag", save_every=NEVER),
)
HELP = """\
Prints the progressive loss of each policy and the processor's microseconds for a decision and its feedback: means over
orders of the rows, or, where they have one of their own, over what policies draw; and by how much auto is behind the
best of the others, with the standard error of that. The first run of each kind of Vowpal Wabbit is repeated by `python
-m vowpalwabbit -d FILE` on the same examples: exits with 1 when a probability or the average loss differs by more than
1e-6, when the best of LinUCB, linear Thompson sampling and auto is behind the best of Vowpal Wabbit, or auto more than
.003 behind the best of all. The program saves only the first policy's normalizer, so a cover and a bag are as it would
have them only if nothing is saved on the way: a second run of each.

  python -m tests.benchmarks.contextual DATA_FOLDER
  python -m tests.benchmarks.contextual DATA_FOLDER --sets mnist_5k --orders 90 --without-vowpal"""


class Row(NamedTuple):
    """What is known of one input, and its class."""

    features: dict[str, Feature]
    user: str | None
    label: int


class Run(NamedTuple):
    """A policy on one set: loss, microseconds a query, and for each query the example and what was made of it.

    `estimate` is the loss as Vowpal Wabbit counts it: loss / logged probability, by the probability it gives; these
    two differ where it gives 1 to each of several.
    """

    loss: float
    estimate: float
    microseconds: float
    examples: list[str]
    chances: list[list[float]]


def load(name: str, data: Path, order: int) -> list[Row]:
    """The rows of one of SETS, in time order if it has one, else shuffled by the seed `order`."""
    if name == "elec2":
        return _from_csv(data / "elec2.csv.gz", user="")
    rows = {"wisdm": _wisdm, "mnist_5k": _mnist, "timit_phoneme": _timit}[name](data)
    Random(order).shuffle(rows)
    return rows


def _wisdm(data: Path) -> list[Row]:
    return _from_csv(data / "wisdm_dev.csv.gz", user="user")


def _mnist(data: Path) -> list[Row]:
    """Pixels from 0 to 1; those that are 0 are not named."""
    with np.load(data / "mnist_5k.npz") as file:
        images, labels = file["X"].reshape(len(file["X"]), -1) / 255.0, file["y"].tolist()
    pixels = ({f"p{j}": float(image[j]) for j in np.flatnonzero(image)} for image in images)
    return [Row(dict(features), None, label) for features, label in zip(pixels, labels, strict=True)]


def _timit(data: Path) -> list[Row]:
    with np.load(data / "timit_phoneme_dev.npz") as file:
        spectra, labels, speakers = file["X"].astype(float).tolist(), file["y"].tolist(), file["speaker"].tolist()
    rows = zip(spectra, speakers, labels, strict=True)
    return [Row({f"f{j}": v for j, v in enumerate(x)}, str(speaker), label) for x, speaker, label in rows]


def _from_csv(path: Path, user: str) -> list[Row]:
    with gzip.open(path, "rt", newline="") as file:
        lines = list(csv.DictReader(file))
    classes = sorted({line["class"] for line in lines})
    numbers = [column for column in lines[0] if column not in ("class", user)]
    return [
        Row({c: float(line[c]) for c in numbers if line[c]}, line.get(user), classes.index(line["class"]))
        for line in lines
    ]


def play(policy: Policy[Any], rows: Sequence[Row], seed: int = 1) -> Run:
    """Ask, answer, learn; only what learning and asking take is timed."""
    labels = sorted({row.label for row in rows})
    models = tuple(f"c{label}" for label in labels)
    said = {model: Prediction(label) for model, label in zip(models, labels, strict=True)}
    learner, rng, run = Learner(policy, ZeroOne()), Random(seed), Run(0.0, 0.0, 0.0, [], [])
    learner.fold(Entry(1, "", None, 0.0, ModelsChanged(models)))
    wrong, estimate, spent = 0, 0.0, 0.0
    for i, row in enumerate(rows, 1):
        query = Query(i, models, row.user, row.features)
        if isinstance(policy, Vowpal):
            run.chances.append(list(policy.chances(learner.state, query)))
        started = process_time()
        decision = decide(policy, learner.state, query, said, rng)
        learner.fold(Entry(i + 1, "", None, 0.0, Feedback((i,), row.label), (decision,)))
        spent += process_time() - started
        [selection], loss = decision.selections, float(decision.answer.output != row.label)
        wrong += int(loss)
        if isinstance(policy, Vowpal):
            [model] = selection.models
            run.examples.append(example(query, (model, loss, selection.probability)))
            estimate += run.chances[-1][models.index(model)] * loss / selection.probability
    n = len(rows)
    return run._replace(loss=wrong / n, estimate=estimate / n, microseconds=1e6 * spent / n)


def repeated(policy: Vowpal, examples: Iterable[str]) -> tuple[float, list[list[float]]]:
    """What the program itself says of these examples: its average loss and the probabilities of each."""
    with TemporaryDirectory() as folder:
        file, predictions = Path(folder, "examples"), Path(folder, "predictions")
        file.write_text("\n\n".join(examples) + "\n\n")
        command = [sys.executable, "-m", "vowpalwabbit", "-d", str(file), "-p", str(predictions), *policy.arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        told = re.search(r"average loss = (\S+)", done.stdout + done.stderr)
        assert told is not None
        lines = predictions.read_text().split()
    pairs = [[pair.split(":") for pair in line.split(",")] for line in lines]
    return float(told[1]), [[float(p) for _, p in sorted(line, key=lambda pair: int(pair[0]))] for line in pairs]


def is_repeatable(policy: Policy[Any]) -> TypeGuard[Vowpal]:
    """Whether the program, without saving, does the same."""
    return isinstance(policy, Vowpal) and (policy.exploration in ("squarecb", "regcb") or policy.save_every == NEVER)


def kind(policy: Policy[Any]) -> str:
    """The policy's name and kind."""
    if not isinstance(policy, Vowpal):
        return policy.name
    return f"vowpal {policy.exploration}" + (", never saved" if policy.save_every == NEVER else "")


def difference(policy: Vowpal, run: Run) -> float:
    """The greatest difference between a run and the program: of a probability, or of the progressive loss."""
    loss, chances = repeated(policy, run.examples)
    assert len(chances) == len(run.chances)
    gaps = [abs(np.array(ours) - theirs).max() for ours, theirs in zip(run.chances, chances, strict=True)]
    return float(max(abs(loss - run.estimate), *gaps))


def main() -> int:
    """Print the tables, and say whether what must hold does."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=HELP, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of the data files")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--rows", type=int, help="the first so many (default: all)")
    parser.add_argument("--orders", type=int, default=3, help="shuffles, and draws of the policies (default: 3)")
    parser.add_argument("--without-vowpal", action="store_true", help="our policies alone, which takes a sixth")
    options = parser.parse_args()
    policies = [policy for policy in POLICIES if not (options.without_vowpal and isinstance(policy, Vowpal))]
    failed = False
    for name in options.sets:
        orders = {order: load(name, options.data, order)[: options.rows] for order in range(1, options.orders + 1)}
        table = Table("policy", "loss", "us a query", "from vw itself", title=f"{name}, {len(orders[1])} queries")
        losses: dict[str, list[float]] = {}
        for policy in policies:
            runs = [play(policy, rows, order) for order, rows in orders.items()]
            gap = difference(policy, runs[0]) if is_repeatable(policy) else None
            failed = failed or (gap or 0.0) > 1e-6
            losses[kind(policy)] = [run.loss for run in runs]
            loss, microseconds = fmean(losses[kind(policy)]), fmean(run.microseconds for run in runs)
            table.add_row(kind(policy), f"{loss:.4f}", f"{microseconds:.0f}", "" if gap is None else f"{gap:.1e}")
        rival = min(losses.keys() - {"auto"}, key=lambda policy: fmean(losses[policy]))
        behind, deviation = compared(losses["auto"], losses[rival])
        failed = failed or behind > (0.0 if rival.startswith("vowpal") else BEHIND)
        table.caption = f"auto: {behind:+.4f} +- {deviation:.4f} behind {rival}"
        Console().print(table)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
