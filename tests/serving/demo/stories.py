"""Evidence of a demonstration in which everything went well, to be spoiled by tests."""

from __future__ import annotations

from serving.demo.configuration import APPLICATIONS
from serving.demo.evidence import Audit, Evidence, Kill, Trained
from serving.demo.outcomes import STAGES, Journal, Outcome

POLICIES = APPLICATIONS
ERRORS = {
    "cnn:1": {"before": 0.03, "during": 0.9, "after": 0.03},
    "svm:1": {"before": 0.05, "during": 0.05, "after": 0.05},
}
ANSWER_ERRORS = {
    "digits-vote": {"before": 0.03, "during": 0.05, "after": 0.03},
    "digits-exp3": {"before": 0.05, "during": 0.09, "after": 0.05},
    "digits-exp4": {"before": 0.03, "during": 0.06, "after": 0.05},
    "digits-thompson": {"before": 0.04, "during": 0.06, "after": 0.03},
    "digits-ensemble": {"before": 0.02, "during": 0.04, "after": 0.02},
    "digits-cascade": {"before": 0.04, "during": 0.06, "after": 0.04},
}
QUESTIONS = 1000


def good_evidence(
    errors: dict[str, dict[str, float]] = ERRORS, answer_errors: dict[str, dict[str, float]] = ANSWER_ERRORS
) -> Evidence:
    """1,000 questions for each application and stage; every error is of exactly the given share."""
    trust = {"before": 0.9, "during": 0.01, "after": 0.6}
    return Evidence(
        best="cnn:1",
        trained=[Trained("cnn:1", "python", 3.0), Trained("svm:1", "sklearn", 0.5)],
        policies=POLICIES,
        journal=Journal(_outcomes(errors, answer_errors)),
        weights={s: {a: {"cnn:1": trust[s], "svm:1": 1 - trust[s]} for a in POLICIES} for s in STAGES},
        seconds=dict.fromkeys(STAGES, 4.0),
        batches={"cnn:1": 3.5, "svm:1": 6.0},
        kill=Kill(questions=4500, processes=7, left=0, seconds=4.2),
        audits=[Audit(a, 3 * QUESTIONS, missing=0, repeated=0, altered=0, same_state=True) for a in POLICIES],
        prices={"cnn:1": 6.0, "svm:1": 0.5, "gated:1": 1.0, "logistic:1": 0.5},
    )


def _outcomes(errors: dict[str, dict[str, float]], answer_errors: dict[str, dict[str, float]]) -> list[Outcome]:
    return [
        Outcome(
            application,
            stage,
            label=3,
            query=f"{application}{stage}{i}",
            output=_said(i, answer_errors[application][stage]),
            default=False,
            sure=True if application == "digits-ensemble" else None,
            models=_models(i, application, {model: by_stage[stage] for model, by_stage in errors.items()}),
            seconds=0.01,
            repeats=int(stage == "during" and i < 8),
            costs={} if i % 2 and application == "digits-cascade" else {"gated:1": 2.0 + i % 3},
        )
        for application in POLICIES
        for stage in STAGES
        for i in range(QUESTIONS)
    ]


def _models(i: int, application: str, errors: dict[str, float]) -> dict[str, int]:
    """What each said; the cascade asks the gated network about every other image."""
    if application != "digits-cascade":
        return {model: _said(i, error) for model, error in errors.items()}
    return {"logistic:1": 3} if i % 2 else {"logistic:1": 3, "gated:1": 3}


def _said(i: int, error: float) -> int:
    return 4 if i < error * QUESTIONS else 3
