from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from serving.demo.claims import claims
from serving.demo.evidence import Evidence, Kill
from serving.demo.outcomes import Journal
from tests.serving.demo.stories import ANSWER_ERRORS, ERRORS, good_evidence


def failing(evidence: Evidence) -> list[str]:
    return [claim.sentence for claim in claims(evidence) if not claim.holds]


def with_error(policy: str, stage: str, error: float) -> Evidence:
    return good_evidence(answer_errors={**ANSWER_ERRORS, policy: {**ANSWER_ERRORS[policy], stage: error}})


def test_all_claims_hold_when_everything_went_well() -> None:
    assert failing(good_evidence()) == []


@pytest.mark.parametrize("application", list(ANSWER_ERRORS))
def test_a_policy_that_goes_down_with_the_broken_model_is_found(application: str) -> None:
    sentences = failing(with_error(application, "during", 0.5))

    assert any("less than half as often as the broken model" in sentence for sentence in sentences)


def test_an_ensemble_that_is_far_from_the_best_model_alive_is_found() -> None:
    assert "ensemble stays close to the best model alive" in failing(with_error("digits-ensemble", "during", 0.25))


@pytest.mark.parametrize("policy", ["thompson", "ensemble", "cascade"])
def test_a_policy_that_does_not_recover_is_found(policy: str) -> None:
    assert f"{policy} is good again when cnn:1 is" in failing(with_error(f"digits-{policy}", "after", 0.12))


def test_an_ensemble_that_one_model_would_have_beaten_is_found() -> None:
    sentence = "over the whole stream ensemble is no worse than the best single model, chosen with hindsight"

    assert sentence in failing(with_error("digits-ensemble", "before", 0.2))


@pytest.mark.parametrize(("policy", "published"), [("thompson", "exp3"), ("ensemble", "exp4")])
def test_a_policy_that_is_worse_than_its_predecessor_is_found(policy: str, published: str) -> None:
    sentence = f"over the whole stream {policy} is no worse than {published} as published"

    assert sentence in failing(with_error(f"digits-{policy}", "before", 0.2))


def test_sure_answers_that_are_wrong_too_often_are_found() -> None:
    sentence = "of the answers that ensemble is sure of at most 5% are wrong"

    assert sentence in failing(with_error("digits-ensemble", "before", 0.1))


@pytest.mark.parametrize(
    "errors", [{**ERRORS["cnn:1"], "during": 0.3}, {**ERRORS["cnn:1"], "before": 0.1}], ids=["not broken", "not best"]
)
def test_a_failure_that_is_not_one_of_the_best_model_is_found(errors: dict[str, float]) -> None:
    sentences = failing(good_evidence(errors={**ERRORS, "cnn:1": errors}))

    assert "cnn:1 was the best model, then answered at random" in sentences


@pytest.mark.parametrize("policy", ["exp3", "exp4", "thompson", "ensemble"])
def test_a_policy_that_still_trusts_the_broken_model_is_found(policy: str) -> None:
    evidence = good_evidence()
    evidence.weights["during"][f"digits-{policy}"]["cnn:1"] = 0.5

    assert failing(evidence) == [f"{policy} stops trusting cnn:1 while it fails"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda e: replace(e, kill=Kill(4500, 7, left=1, seconds=4.2)), "nothing of the killed server is left"),
        (
            lambda e: replace(e, journal=Journal([replace(o, repeats=0) for o in e.journal.outcomes])),
            "the server was killed with requests in flight, and the users carried on",
        ),
        (
            lambda e: replace(e, journal=Journal(e.journal.outcomes, ["/digits-vote/predict 503"])),
            "every question was answered",
        ),
        (
            lambda e: replace(e, audits=[replace(audit, same_state=False) for audit in e.audits]),
            "what the policies know is the fold of the log",
        ),
    ],
)
def test_a_crash_that_left_something_behind_is_found(spoil: Callable[[Evidence], Evidence], sentence: str) -> None:
    assert failing(spoil(good_evidence())) == [sentence]


@pytest.mark.parametrize(
    ("costs", "figures"),
    [
        ({"gated:1": 6.0}, "6.00 of 6, from 6 to 6"),
        ({"gated:1": 3.0}, "3.00 of 6, from 3 to 3"),
        ({}, "none reported"),
    ],
    ids=["all blocks", "the same for all", "unknown"],
)
def test_a_gated_network_that_does_not_skip_by_image_is_found(costs: dict[str, float], figures: str) -> None:
    evidence = good_evidence()
    spoiled = replace(evidence, journal=Journal([replace(o, costs=costs) for o in evidence.journal.outcomes]))

    (found,) = [claim for claim in claims(spoiled) if not claim.holds]

    assert found.sentence == "gated runs fewer blocks than it has, and not the same for every image"
    assert found.figures == figures


def test_a_cascade_that_costs_as_much_as_the_best_model_is_found() -> None:
    evidence = good_evidence()

    assert failing(replace(evidence, prices={**evidence.prices, "cnn:1": 2.0})) == [
        "an answer of cascade costs less than one of cnn:1 alone"
    ]


def test_a_cascade_that_is_far_from_the_best_model_is_found() -> None:
    assert failing(with_error("digits-cascade", "before", 0.12)) == ["cascade is close to cnn:1 while that is well"]


@pytest.mark.parametrize("count", ["missing", "repeated", "altered"])
def test_a_truth_that_the_log_does_not_hold_once_is_found(count: str) -> None:
    evidence = good_evidence()
    evidence.audits[1] = replace(evidence.audits[1], **{count: 1})

    assert failing(evidence) == ["digits-exp3: every acknowledged truth is in the log, once"]
