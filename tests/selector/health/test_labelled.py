"""Total failures on two classes, where the loss alone says little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from random import Random
from statistics import median

import pytest

from selector.health.collapse import Collapse
from selector.health.guess import Guess
from selector.health.labelled import Case, Labelled
from selector.health.rut import Rut
from selector.health.signal import Signal
from selector.losses import Absolute, ZeroOne

HISTORY = 2_000
CHANCE = 0.5
Broken = Callable[[int, Random], int]

BROKEN: dict[str, Broken] = {
    "random": lambda truth, rng: rng.randrange(2),
    "constant": lambda truth, rng: 0,
    "inverted": lambda truth, rng: 1 - truth,
}


def labels(rng: Random, broken: Broken | None = None, hard: float = 0.25) -> Iterator[Case]:
    """A model and three siblings that err on one input in eight: on half of the hard ones, a share `hard` of all."""
    query = 0
    while True:
        query += 1
        truth, difficult = rng.randrange(2), rng.random() < hard
        errors = [float(difficult and rng.random() < 0.5) for _ in range(4)]
        said = truth if errors[0] == 0.0 else 1 - truth
        if broken is not None and query > HISTORY:
            said = broken(truth, rng)
        yield Case(query, said, truth, float(said != truth), sum(errors[1:]) / 3, CHANCE)


def delay(broken: Broken, seed: int) -> int:
    watched = Labelled(0.0, 0.0)
    for case in labels(Random(seed), broken):
        watched.add(case)
        if watched.loss.changed and case.query > HISTORY:
            return case.query - HISTORY
    raise AssertionError


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_total_failure_on_two_classes_is_seen_within_20_labels(broken: Broken) -> None:
    assert median(delay(broken, seed) for seed in range(15)) <= 20


def test_the_loss_alone_sees_it_later() -> None:
    alone, together = [], []
    for seed in range(15):
        loss = Signal(3e-6, trusted=50.0)
        for case in labels(Random(seed), BROKEN["random"]):
            loss.add(1, case.loss)
            if loss.changed and case.query > HISTORY:
                alone.append(case.query - HISTORY)
                break
        together.append(delay(BROKEN["random"], seed))
    assert median(together) < 0.8 * median(alone)


def test_a_model_is_not_blamed_for_hard_inputs() -> None:
    collapse = Collapse(1e-6)
    for case in islice(labels(Random(1)), HISTORY):
        assert not collapse.add(case.loss, case.beside, CHANCE)
    for case in islice(labels(Random(2), hard=0.6), HISTORY):  # its errors rise from .125 to .3, as its siblings' do
        assert not collapse.add(case.loss, case.beside, CHANCE)


def test_evidence_makes_few_false_alarms() -> None:
    # Of each at most one in a hundred, so 200 are allowed, in both together 400; two deviations for what chance adds.
    collapse, rut = Collapse(1e-2), Rut(1e-2)
    alarms = 0
    for case in islice(labels(Random(3)), 20_000):
        assert case.label is not None
        if collapse.add(case.loss, case.beside, CHANCE):
            alarms, collapse = alarms + 1, Collapse(1e-2)
        if rut.add(case.said, case.label, case.loss):
            alarms, rut = alarms + 1, Rut(1e-2)
    assert alarms <= 400 + 2 * 20


def test_a_model_that_always_said_the_same_is_in_no_rut() -> None:
    rut, rng = Rut(1e-6), Random(1)
    for _ in range(5_000):
        truth = rng.randrange(2)
        assert not rut.add(0, truth, float(truth != 0))


def test_chance_is_what_the_label_of_another_query_loses() -> None:
    rng = Random(1)
    classes, numbers = Guess(ZeroOne(), "classification"), Guess(Absolute(scale=1.0), "regression")
    for _ in range(2_000):
        classes.learn(int(rng.random() < 0.3))
        numbers.learn(rng.random())
    # .7 x .3 x 2, and the mean distance of two uniform numbers; five deviations of the mean of 500
    assert classes.chance == pytest.approx(0.42, abs=5 * 0.5 / 500**0.5)
    assert numbers.chance == pytest.approx(1 / 3, abs=5 * 0.24 / 500**0.5)


def test_labels_that_never_came_again_make_room_for_those_that_do() -> None:
    guess = Guess(ZeroOne(), "classification")
    for label in range(3_000):
        guess.learn(label)
    for _ in range(3_000):
        guess.learn("often")
    assert guess.loss is not None
    assert guess.loss < 0.2
