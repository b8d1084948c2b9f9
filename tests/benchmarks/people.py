"""Streams of users who differ, with what several models say of each input: recorded, or trained here and predicted.

Which model was trained on what is part of the question: models of people know their own best.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from selector.decisions import Prediction

SETS = ("audiomnist", "wisdm", "timit")
GROUPS = 4  # of people, for wisdm: one model each


class Visit(NamedTuple):
    """One input of one user: what each model said, and the truth."""

    user: str
    predictions: dict[str, Prediction]
    label: int


def load(name: str, data: Path) -> list[Visit]:
    """audiomnist: four commercial APIs on 60 speakers.

    wisdm: four random forests, each trained on the first 40% of the windows of a quarter of the users; the stream is
    the rest of everybody's. timit: eight logistic regressions, each trained on half of the speakers of one dialect;
    the stream is the other half of the speakers.
    """
    return {"audiomnist": _audiomnist, "wisdm": _wisdm, "timit": _timit}[name](data)


def streamed(visits: Sequence[Visit], seed: int, shuffle_users: bool) -> list[Visit]:
    """In random order; with `shuffle_users` whose input it was is random too, so that users do not differ."""
    rng, order = Random(seed), list(visits)
    rng.shuffle(order)
    if not shuffle_users:
        return order
    users = [visit.user for visit in order]
    rng.shuffle(users)
    return [visit._replace(user=user) for visit, user in zip(order, users, strict=True)]


def _audiomnist(data: Path) -> list[Visit]:
    rows = _rows(data / "apis_audiomnist.csv.gz")
    models = [column.removeprefix("pred_") for column in rows[0] if column.startswith("pred_")]
    return [
        Visit(
            row["speaker"],
            {m: Prediction(int(row[f"pred_{m}"]), score=float(row[f"conf_{m}"])) for m in models},
            int(row["label"]),
        )
        for row in rows
    ]


def _wisdm(data: Path) -> list[Visit]:
    rows = _rows(data / "wisdm_dev.csv.gz")
    columns = [column for column in rows[0] if column not in ("user", "class")]
    inputs = np.array([[float(row[column] or "nan") for column in columns] for row in rows])
    classes = sorted({row["class"] for row in rows})
    labels = np.array([classes.index(row["class"]) for row in rows])
    users = np.array([row["user"] for row in rows])
    first = np.zeros(len(rows), dtype=bool)
    for user in sorted(set(users.tolist())):
        own = np.flatnonzero(users == user)
        first[Random(user).sample(own.tolist(), int(0.4 * len(own)))] = True
    groups = {user: i % GROUPS for i, user in enumerate(sorted(set(users.tolist()), key=int))}
    group = np.array([groups[user] for user in users.tolist()])
    models = {}
    for g in range(GROUPS):
        forest = make_pipeline(SimpleImputer(), RandomForestClassifier(60, random_state=g))
        models[f"forest{g}"] = forest.fit(inputs[first & (group == g)], labels[first & (group == g)])
    return _visits(models, inputs[~first], labels[~first], users[~first])


def _timit(data: Path) -> list[Visit]:
    with np.load(data / "timit_phoneme_dev.npz") as file:
        inputs, labels, dialects, speakers = (file[key] for key in ("X", "y", "dialect", "speaker"))
    inputs, labels = inputs.astype(float), labels.astype(int)
    names = sorted(set(speakers.tolist()))
    training = np.isin(speakers, names[::2])
    models = {}
    for dialect in sorted(set(dialects.tolist())):
        chosen = training & (dialects == dialect)
        regression = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2_000))
        models[f"dialect{dialect}"] = regression.fit(inputs[chosen], labels[chosen])
    return _visits(models, inputs[~training], labels[~training], speakers[~training])


def _visits(models: Mapping[str, Any], inputs: Any, labels: Any, users: Any) -> list[Visit]:
    said = defaultdict(list)
    for name, model in models.items():
        for p in model.predict_proba(inputs):
            said[name].append(Prediction(int(model.classes_[p.argmax()]), score=float(p.max())))
    per_input: Iterator[tuple[Prediction, ...]] = zip(*said.values(), strict=True)
    return [
        Visit(str(user), dict(zip(said, row, strict=True)), int(label))
        for user, row, label in zip(users.tolist(), per_input, labels.tolist(), strict=True)
    ]


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))
