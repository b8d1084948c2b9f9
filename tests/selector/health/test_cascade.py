"""The best model of a cascade, asked where its siblings err alike: it dissents from them, and only labels say why."""

from __future__ import annotations

from random import Random

from selector.decisions import Prediction
from tests.selector.health.ward import CLASSES, Says, Ward, constant, errs

SEEDS = range(2, 8)  # of the first eight those with which `dear` is quarantined without labels
HARD = range(5)


def next_class(truth: int) -> Prediction:
    return Prediction((truth + 1) % CLASSES)


def cheap(truth: int, rng: Random) -> Prediction:
    return next_class(truth) if truth in HARD else Prediction(truth)


def poor(truth: int, rng: Random) -> Prediction:
    return next_class(truth) if rng.random() < 0.6 else Prediction(truth)


def asked_as_a_cascade(seed: int, dear: Says) -> Ward:
    """A history in which all were asked and labels came; from now on `cheap` settles what is not hard."""
    ward = Ward(seed, {"cheap": cheap, "dear": dear, "poor": poor}).run(600, labels=True)
    ward.alone = dict.fromkeys(set(range(CLASSES)) - set(HARD), "cheap")
    return ward


def quarantines(ward: Ward) -> int:
    return sum((change.model, change.state) == ("dear", "quarantined") for _, change in ward.changes)


def test_labels_clear_the_one_who_is_right_of_dissent() -> None:
    for seed in SEEDS:
        assert quarantines(asked_as_a_cascade(seed, errs(0.02)).run(300, labels=False)) > 0
        assert quarantines(asked_as_a_cascade(seed, errs(0.02)).run(1_000, labels=True)) == 0


def test_labels_do_not_clear_the_one_who_has_failed() -> None:
    for seed in SEEDS:
        ward = asked_as_a_cascade(seed, errs(0.02))
        ward.models["dear"] = constant("none of these")
        ward.run(100, labels=True)
        assert ward.state("dear") == "quarantined"
        ward.run(500, labels=True)
        assert quarantines(ward) == 1


def test_labels_bring_back_the_one_who_is_right_and_keep_it() -> None:
    for seed in SEEDS:
        ward = asked_as_a_cascade(seed, errs(0.02))
        while ward.state("dear") != "quarantined":
            ward.run(1)
        ward.run(2_000, labels=True)
        assert ward.state("dear") in ("healthy", "suspect")
        assert quarantines(ward) == 1


def test_late_labels_of_a_failure_do_not_delay_what_siblings_say_for_it() -> None:
    for seed in range(4):
        ward = Ward(seed, {"a": errs(0.1), "b": errs(0.2), "c": errs(0.25), "d": errs(0.35)}).run(600, labels=True)
        ward.delay = 1_000
        ward.models["a"] = constant(3)
        ward.run(1_500, labels=True)
        assert ward.state("a") == "quarantined"
        ward.models["a"] = errs(0.1)
        recovered = ward.queries
        ward.run(400, labels=True)
        assert ward.became("a", "probing", recovered) <= 300
