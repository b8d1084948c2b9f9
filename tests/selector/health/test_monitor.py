"""What is seen of models that fail, and what is not seen of models that do not."""

from __future__ import annotations

from pickle import dumps
from random import Random
from statistics import median

import pytest

from selector.decisions import Prediction
from selector.health.run import Run
from selector.health.votes import count_labels
from tests.selector.health.ward import CLASSES, Says, Ward, absent, constant, errs

RUNS = 11
HISTORY = 600

BROKEN: dict[str, Says] = {
    "random": lambda truth, rng: Prediction(rng.randrange(CLASSES)),
    "constant": constant(3),
    "permuted": lambda truth, rng: Prediction((truth + 1) % CLASSES),
}

every_failure = pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)


def models() -> dict[str, Says]:
    return {"a": errs(0.1), "b": errs(0.2), "c": errs(0.25), "d": errs(0.35)}


@every_failure
def test_total_failure_is_seen_within_20_labels(broken: Says) -> None:
    seen, quarantined = [], []
    for seed in range(RUNS):
        ward = Ward(seed, models()).run(HISTORY, labels=True, votes=False)
        ward.models["a"] = broken
        ward.run(60, labels=True, votes=False)
        seen.append(ward.became("a", "suspect", HISTORY))
        quarantined.append(ward.became("a", "quarantined", HISTORY))
    assert median(seen) <= 12
    assert median(quarantined) <= 20
    assert max(quarantined) <= 40


@every_failure
def test_total_failure_is_seen_within_100_queries_without_labels(broken: Says) -> None:
    for seed in range(RUNS):
        ward = Ward(seed, models()).run(HISTORY)
        ward.models["b"] = broken
        ward.run(100)
        assert ward.became("b", "quarantined", HISTORY) <= 100
        assert ward.resting == {"b"}


def test_a_collapse_of_scores_is_suspect_and_no_more() -> None:
    ward = Ward(1, {"a": errs(0.1, 0.9), "b": errs(0.2, 0.7), "c": errs(0.2, 0.8)}).run(HISTORY)
    ward.models["a"] = errs(0.1, 0.1)
    ward.run(300)
    assert ward.became("a", "suspect", HISTORY) <= 100
    assert "scores average 0.10" in ward.changes[-1][1].evidence
    assert ward.state("a") == "suspect"


def test_a_rise_that_leaves_a_model_useful_is_suspect_until_it_is_back() -> None:
    ward = Ward(1, models()).run(2_000, labels=True)
    ward.models["a"] = errs(0.3)
    ward.run(600, labels=True)
    assert ward.state("a") == "suspect"
    ward.models["a"] = errs(0.1)
    ward.run(1_000, labels=True)
    assert ward.state("a") == "healthy"
    assert ward.became("a", "quarantined") > ward.queries


def test_a_level_that_stays_becomes_the_usual_one() -> None:
    ward = Ward(1, models()).run(2_000, labels=True)
    ward.models["a"] = errs(0.3)
    ward.run(4_000, labels=True)
    assert [change.state for _, change in ward.changes if change.model == "a"] == ["suspect", "healthy"]


def test_inputs_that_change_for_all_send_nobody_into_quarantine() -> None:
    for seed in range(5):
        ward = Ward(seed, models()).run(HISTORY)
        ward.run(400, truths=(3,))  # only one class comes
        ward.models.update({name: errs(0.7) for name in ward.models})  # and then it gets hard
        ward.run(400)
        assert not ward.resting


@pytest.mark.parametrize("labels", [True, False])
def test_healthy_models_are_left_in_peace(labels: bool) -> None:
    # 4 models, at most 3 alarms in a million each: .24 expected here, more than 2 with a probability of .002
    ward = Ward(7, models()).run(20_000, labels=labels, votes=not labels)
    assert len(ward.changes) <= 2


def test_a_model_that_fails_to_answer_is_left_out_and_returns_when_it_answers() -> None:
    ward = Ward(2, models()).run(200)
    ward.models["c"] = absent
    ward.run(40)
    assert ward.state("c") == "quarantined"
    assert ward.changes[-1][1].evidence.startswith("it fails")
    ward.models["c"] = errs(0.25)
    ward.run(1_500)
    assert [change.state for _, change in ward.changes if change.model == "c"][-2:] == ["probing", "healthy"]


def test_a_model_that_never_answered_is_seen_without_a_history() -> None:
    ward = Ward(2, {"a": absent, "b": errs(0.1), "c": errs(0.2)}).run(60)
    assert ward.state("a") == "quarantined"


@pytest.mark.parametrize("labels", [True, False])
@every_failure
def test_recovery_is_found_by_probes(broken: Says, labels: bool) -> None:
    for seed in range(5):
        ward = Ward(seed, models()).run(HISTORY, labels=labels)
        ward.models["a"] = broken
        ward.run(4_000, labels=labels)
        assert ward.resting == {"a"}
        recovered = ward.queries
        ward.models["a"] = errs(0.1)
        ward.run(400, labels=labels)
        assert ward.became("a", "probing", recovered) <= 300  # a first probe within 160 but for .0003, and a few more
        assert ward.state("a") == "healthy"


def test_a_relapse_returns_it_to_quarantine_at_once() -> None:
    ward = Ward(3, models()).run(HISTORY, labels=True)
    ward.models["a"] = constant(3)
    ward.run(300, labels=True)
    ward.models["a"] = errs(0.1)
    while ward.state("a") != "probing":
        ward.run(1, labels=True)
    ward.models["a"] = constant(3)
    relapsed = ward.queries
    ward.run(20, labels=True)
    assert ward.became("a", "quarantined", relapsed) <= 20


def test_the_last_model_is_never_quarantined() -> None:
    alone = Ward(1, {"a": errs(0.1)}).run(HISTORY, labels=True)
    alone.models["a"] = constant(3)
    alone.run(300, labels=True)
    assert alone.state("a") == "suspect"
    both = Ward(1, {"a": errs(0.1), "b": errs(0.1)}).run(HISTORY, labels=True)
    both.models.update({"a": absent, "b": absent})
    both.run(300)
    assert not both.resting


def test_those_in_quarantine_are_asked_again_when_all_others_fail() -> None:
    ward = Ward(1, {"a": errs(0.1), "b": errs(0.1)}).run(HISTORY)
    ward.models["a"] = absent
    ward.run(60)
    assert ward.resting == {"a"}
    ward.models["b"] = absent
    ward.run(60)
    assert not ward.resting


def test_of_two_that_begin_to_disagree_nobody_can_tell_without_labels_who_is_wrong() -> None:
    ward = Ward(4, {"a": errs(0.1), "b": errs(0.1)}).run(HISTORY)
    ward.models["a"] = lambda truth, rng: Prediction(rng.randrange(CLASSES))
    ward.run(300)
    assert (ward.state("a"), ward.state("b")) == ("suspect", "suspect")
    assert "the inputs may have changed" in ward.changes[-1][1].evidence


def test_numbers_are_watched_too() -> None:
    def measures(noise: float) -> Says:
        return lambda truth, rng: Prediction(truth + rng.gauss(0, noise))

    for broken in (lambda truth, rng: Prediction(rng.uniform(-50, 50)), constant(4.5)):
        for labels in (True, False):
            ward = Ward(5, {"a": measures(0.3), "b": measures(0.4), "c": measures(0.5)}, "regression")
            ward.run(1_500, labels=labels, votes=not labels)
            assert ward.changes == []
            ward.models["a"] = broken
            ward.run(100, labels=labels, votes=not labels)
            assert ward.resting == {"a"}


def test_a_model_that_always_says_the_same_has_no_vote() -> None:
    models: dict[str, Says] = {"a": errs(0.05), "b": errs(0.1), "c": errs(0.1), "d": constant(0), "e": constant(0)}
    ward = Ward(6, models).run(HISTORY)
    ward.models["a"] = constant(0)
    ward.run(100)
    assert ward.resting == {"a"}


def test_what_is_kept_of_models_that_never_say_the_same_twice_is_bounded() -> None:
    ward = Ward(1, dict.fromkeys("abc", lambda truth, rng: Prediction(f"answer {truth}")))
    sizes = []
    for begin in (0, 3_000, 6_000, 9_000):
        for query in range(begin, begin + 3_000):
            ward.run(1, truths=[query])
        sizes.append(len(dumps(ward.monitor)))
    assert sizes[-1] <= 1.1 * sizes[0]


def test_the_end_of_a_long_run_is_as_short_as_any() -> None:
    run = Run()
    run.add(["yes", "no"])
    run.length = 10**12
    run.add(["no", "yes"])
    assert (run.output, run.length) == ("yes", 1)
    assert run.repeats == pytest.approx(1.0)
    assert list(run.lately) == ["no"] * 128


def test_of_two_minds_the_first_counts() -> None:
    for i in range(20):
        one, other = f"one {i}", f"other {i}"
        row = {model: Prediction(said) for model, said in zip("abcd", (one, one, other, other), strict=True)}
        assert count_labels([row]).minds == {one: 1}


def test_probes_are_drawn_with_the_share_they_tell() -> None:
    ward = Ward(8, models()).run(HISTORY, labels=True)
    ward.models["a"] = constant(3)
    ward.run(100, labels=True)
    rng = Random(1)
    drawn = [probe for _ in range(20_000) for probe in ward.monitor.probes(["a"], rng)]
    hopeful = [share for _, share in drawn if share == 0.5]
    assert len(hopeful) <= 8
    assert abs(len(drawn) - len(hopeful) - 1_000) < 5 * 31  # five deviations of a binomial


def test_late_labels_neither_clear_nor_convict_a_model_of_what_it_says_now() -> None:
    ward = Ward(9, models())
    ward.delay = 400
    ward.run(1_500, labels=True)
    ward.models["a"] = constant(3)
    ward.run(100, labels=True)
    assert ward.resting == {"a"}
    ward.run(300, labels=True)  # their labels are of the time when it was well
    assert ward.resting == {"a"}
    ward.models["a"] = errs(0.1)
    ward.run(3_000, labels=True)
    assert ward.state("a") == "healthy"
    assert [change.state for _, change in ward.changes].count("quarantined") == 1


def test_labels_of_a_failure_that_come_after_the_recovery_do_not_convict_again() -> None:
    for seed in range(5):
        ward = Ward(seed, models()).run(HISTORY, labels=True)
        ward.delay = 400
        ward.models["a"] = constant(3)
        ward.run(600, labels=True)
        ward.models["a"] = errs(0.1)
        ward.run(1_500, labels=True)
        assert [change.state for _, change in ward.changes if change.model == "a"].count("quarantined") == 1
