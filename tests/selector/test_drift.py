"""Change detectors: how soon they see a change, how often one that is not there, and what they keep."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import median

import msgspec
import pytest
from scipy.stats import poisson

from selector.drift import DETECTORS, FALSE_ALARMS, Change, Cusum, DetectorName, Watch

every_detector = pytest.mark.parametrize("name", DETECTORS)


def healthy(name: DetectorName, rate: float, labels: int, rng: Random) -> Watch:
    watch = Watch()
    for _ in range(labels):
        if DETECTORS[name].add(watch, float(rng.random() < rate)) is not None:
            watch = watch.restarted()
    return watch


def first_alarm(name: DetectorName, watch: Watch, draw: Callable[[], float], most: int) -> tuple[int, Change | None]:
    """How many labels it took, and what the alarm said; None when there was none."""
    for label in range(1, most + 1):
        change = DETECTORS[name].add(watch, draw())
        if change is not None:
            return label, change
    return most, None


def delays(name: DetectorName, before: float, after: float, runs: int) -> list[int]:
    found = []
    for seed in range(runs):
        rng = Random(seed)
        watch = healthy(name, before, 2_000, rng)
        label, change = first_alarm(name, watch, lambda rng=rng: float(rng.random() < after), 5_000)  # type: ignore[misc]
        assert change == ("worse" if after > before else "better")
        found.append(label)
    return found


@every_detector
@pytest.mark.parametrize(("before", "after"), [(0.1, 0.9), (0.9, 0.1)], ids=["failure", "recovery"])
def test_a_total_change_is_seen_within_twenty_labels(name: DetectorName, before: float, after: float) -> None:
    assert median(delays(name, before, after, runs=15)) <= 20


@pytest.mark.parametrize("name", ["cusum", "page_hinkley"])
def test_a_doubled_error_is_seen_within_three_hundred_labels(name: DetectorName) -> None:
    assert median(delays(name, 0.1, 0.2, runs=15)) <= 300


@every_detector
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.4])
def test_false_alarms_are_rare_while_the_rate_is_being_learned_too(name: DetectorName, rate: float) -> None:
    rng, alarms, streams, labels = Random(f"{rate}"), 0, 6, 5_000
    for _ in range(streams):
        alarms += first_alarm(name, Watch(), lambda: float(rng.random() < rate), labels)[1] is not None
    assert poisson.sf(alarms - 1, FALSE_ALARMS * streams * labels) > 1e-3


@every_detector
def test_losses_between_zero_and_one_make_no_more_alarms(name: DetectorName) -> None:
    rng = Random(1)
    assert first_alarm(name, Watch(), lambda: rng.random() * 0.2, 10_000)[1] is None


@every_detector
def test_a_watch_survives_its_encoding(name: DetectorName) -> None:
    rng = Random(1)
    watch = healthy(name, 0.3, 100, rng)
    decoded = msgspec.msgpack.decode(msgspec.msgpack.encode(watch), type=Watch)
    losses = [float(rng.random() < 0.6) for _ in range(50)]
    assert [DETECTORS[name].add(decoded, x) for x in losses] == [DETECTORS[name].add(watch, x) for x in losses]
    assert decoded == watch


@every_detector
def test_after_an_alarm_the_recent_labels_are_the_new_healthy_ones(name: DetectorName) -> None:
    watch = healthy(name, 0.1, 2_000, Random(1))
    label, _ = first_alarm(name, watch, lambda: 1.0, 100)
    anew = watch.restarted()
    assert 0 < anew.count <= label + 20  # some healthy errors may have come just before
    assert anew.loss / anew.count > 0.8
    assert anew.evidence == []


@every_detector
def test_a_false_alarm_makes_no_second_one(name: DetectorName) -> None:
    """5 errors in 19 labels, which an alarm was made of by chance, where the rate is .02."""
    for seed in range(20):
        rng = Random(seed)
        watch = Watch(count=19.0, loss=5.0)
        assert first_alarm(name, watch, lambda rng=rng: float(rng.random() < 0.02), 400)[1] is None  # type: ignore[misc]


def test_what_is_seen_before_any_history_is_no_change() -> None:
    assert first_alarm("cusum", Watch(), lambda: 1.0, 1_000)[1] is None
    assert first_alarm("cusum", Watch(), lambda: 0.0, 1_000)[1] is None


def test_fewer_false_alarms_take_more_evidence() -> None:
    def labels_needed(detector: Cusum) -> int:
        watch = healthy("cusum", 0.1, 2_000, Random(2)).restarted()
        watch = msgspec.structs.replace(watch, count=2_000.0, loss=200.0)
        return next(n for n in range(1, 100) if detector.add(watch, 1.0) is not None)

    assert labels_needed(Cusum(1e-12)) > labels_needed(Cusum(1e-3))


@every_detector
def test_what_came_while_the_other_change_seemed_likely_is_not_taken_for_the_new_rate(name: DetectorName) -> None:
    """A rise that has not made its alarm yet, and then a total recovery."""
    for seed in range(10):
        rng = Random(seed)
        watch = healthy(name, 0.6, 42, rng)
        for _ in range(20):
            if DETECTORS[name].add(watch, float(rng.random() < 0.9)) is not None:
                watch = watch.restarted()
        label, change = first_alarm(name, watch, lambda: 0.0, 200)
        assert change == "better"
        assert watch.recent_count <= label
        assert watch.recent_loss == 0.0
