"""The threshold: of the answers marked sure at most the target is wrong."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from scipy.stats import binom

from selector import Exp4, MajorityVote
from selector.confidence import LEVELS, Threshold, Trial
from selector.decisions import Decision, Prediction, Query, Selection
from selector.policy import Policy

TARGET = 0.1


def play(rng: Random, labels: int, trial: Trial, bias: float = 0.0) -> tuple[Trial, list[tuple[bool, bool]]]:
    """Confidences even in [.5, 1]; the chance of being right is the confidence less `bias`. (sure, wrong) of each."""
    threshold, outcomes = Threshold(target_error=TARGET), []
    for _ in range(labels):
        confidence = rng.uniform(0.5, 1.0)
        wrong = rng.random() > confidence - bias
        outcomes.append((threshold.sure(trial, confidence), wrong))
        trial = threshold.observe(trial, confidence, wrong)
    return trial, outcomes


def true_error(level: int, bias: float) -> float:
    """The error of answers at or above a level."""
    lowest = max(0.5, LEVELS[level])
    return 1.0 - (lowest + 1.0) / 2 + bias


def test_no_level_is_certified_that_errs_more_than_the_target_in_most_runs() -> None:
    runs, broken = 60, 0
    for seed in range(runs):
        trial, _ = play(Random(seed), 1_500, Trial(), bias=0.06)
        broken += trial.level < len(LEVELS) and true_error(trial.level, 0.06) > TARGET
    # delta is .05: so many or more broken runs would come by chance once in a million
    assert broken < binom.isf(1e-6, runs, 0.05)


def test_what_is_hopeless_is_never_sure() -> None:
    runs, marked = 40, 0
    for seed in range(runs):
        _, outcomes = play(Random(seed), 1_000, Trial(), bias=0.2)
        marked += any(sure for sure, _ in outcomes)
    assert marked < binom.isf(1e-6, runs, 0.05)


def test_most_of_what_could_be_sure_is_in_the_end() -> None:
    _, outcomes = play(Random(1), 6_000, Trial())
    late = outcomes[3_000:]
    assert sum(sure for sure, _ in late) / len(late) > 0.2  # with hindsight .4
    wrong = [is_wrong for sure, is_wrong in outcomes if sure]
    assert sum(wrong) / len(wrong) <= TARGET


def test_when_sure_answers_become_wrong_it_tests_anew() -> None:
    rng = Random(2)
    trial, _ = play(rng, 3_000, Trial())
    _, after = play(rng, 2_000, trial, bias=0.3)
    assert sum(sure for sure, _ in after[:300]) > 0
    assert not any(sure for sure, _ in after[300:])


def test_when_confidences_sink_the_threshold_rises_before_any_error() -> None:
    threshold = Threshold(target_error=TARGET)
    trial, _ = play(Random(3), 3_000, Trial())
    low = LEVELS[trial.level] + 1e-6
    marks = []
    for _ in range(400):  # only answers that just reach the threshold, and claim less than the target on average
        marks.append(threshold.sure(trial, low))
        trial = threshold.observe(trial, low, False)
    assert marks[0]
    assert not marks[-1]


def test_a_trial_survives_its_encoding() -> None:
    trial, _ = play(Random(4), 500, Trial())
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(trial), type=Trial) == trial


def test_nothing_is_sure_without_a_confidence() -> None:
    assert not Threshold(target_error=TARGET).sure(Trial(level=0), None)


@pytest.mark.parametrize("policy", [MajorityVote(), Exp4(learning_rate=0.01)], ids=["votes", "weighted votes"])
def test_agreement_needs_no_calibration_to_be_tested(policy: Policy[Any]) -> None:
    """Seven models that err .3 each: how many agree tells how likely they are right."""
    models, query = tuple(f"m{i}" for i in range(7)), Query(1, tuple(f"m{i}" for i in range(7)))
    asked = [Selection(models, 1.0)]
    rng, threshold, trial, outcomes = Random(5), Threshold(target_error=TARGET), Trial(), []
    state = policy.initial_state(models)
    for _ in range(3_000):
        said = {m: Prediction(0 if rng.random() < 0.7 else rng.choice((1, 2))) for m in models}
        answer = policy.combine(state, query, asked, said)
        outcomes.append((threshold.sure(trial, answer.confidence), answer.output != 0))
        trial = threshold.observe(trial, answer.confidence or 0.0, answer.output != 0)
        decision = Decision("", query, 0.0, policy.name, tuple(asked), said, answer)
        state = policy.observe(state, decision, {m: float(p.output != 0) for m, p in said.items()})
    wrong = [is_wrong for sure, is_wrong in outcomes if sure]
    assert sum(wrong) / len(wrong) <= TARGET
    assert len(wrong) / len(outcomes) > 0.5
