"""What the demonstration claims, checked against what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import sqrt

from msgspec import Struct

from serving.demo.evidence import Evidence
from serving.demo.outcomes import Outcome, Share, answer_error, model_error, share

LEARNING = 50
"""Questions that Exp4 may need to learn of a failure: log(models / share) / (learning rate x the model's error)."""
MARGIN = 0.03
"""By how much a policy may be worse than the best model alive."""


class Claim(Struct, frozen=True):
    """A sentence, whether it holds, and the figures that say so."""

    sentence: str
    holds: bool
    figures: str


def claims(evidence: Evidence) -> list[Claim]:
    """Everything that is claimed, in the order of the story."""
    return [*_failure(evidence), *_recovery(evidence), *_crash(evidence), *_log(evidence)]


def _failure(evidence: Evidence) -> Iterator[Claim]:
    best = evidence.best
    during = evidence.judged("during")
    broken = model_error(during, best)
    yield Claim(f"{best} was the best model, then answered at random", *_broke(evidence, broken))
    for application, policy in evidence.policies.items():
        error = answer_error(evidence.journal.of("during", application))
        sentence = f"{policy} is wrong less than half as often as the broken model"
        yield Claim(sentence, error.value < broken.value / 2, f"{error} against {broken}")
    exp4 = answer_error(evidence.journal.of("during", _served_by(evidence, "exp4")))
    alive = set(_models(evidence)) - {best}
    yield _close(
        "exp4 stays close to the best model alive", exp4, during, alive, MARGIN + LEARNING / max(1, exp4.whole)
    )
    for policy in ("exp3", "exp4"):
        weight = [
            evidence.weights[stage][_served_by(evidence, policy)][best] for stage in ("before", "during", "after")
        ]
        figures = " -> ".join(f"{w:.3f}" for w in weight)
        yield Claim(f"{policy} stops trusting {best} while it fails", weight[1] < min(0.1, weight[0]), figures)


def _recovery(evidence: Evidence) -> Iterator[Claim]:
    application, best = _served_by(evidence, "exp4"), evidence.best
    after = answer_error(evidence.journal.of("after", application))
    yield _close(f"exp4 is good again when {best} is", after, evidence.judged("after"), [best], MARGIN)
    overall = answer_error(evidence.journal.of(application=application))
    sentence = "over the whole stream exp4 is within a point of the best single model, chosen with hindsight"
    yield _close(sentence, overall, evidence.judged(), _models(evidence), 0.01)


def _close(sentence: str, error: Share, judged: list[Outcome], models: Iterable[str], margin: float) -> Claim:
    """`error` is at most that of the best of `models` and `margin`, within three standard errors."""
    errors = {model: model_error(judged, model) for model in models}
    best = min(errors, key=lambda model: errors[model].value)
    limit = errors[best].value + margin + 3 * _standard_error(error)
    return Claim(sentence, error.value <= limit, f"{error} against {errors[best]} ({best}), at most {limit:.1%}")


def _crash(evidence: Evidence) -> Iterator[Claim]:
    journal, kill = evidence.journal, evidence.kill
    sent_again = share(outcome.repeats > 0 for outcome in journal.outcomes)
    yield Claim(
        "the server was killed with requests in flight, and the users carried on",
        sent_again.part > 0,
        f"after {kill.questions:,} questions, {sent_again.part} requests sent again, down for {kill.seconds:.1f} s",
    )
    yield Claim(
        "nothing of the killed server is left",
        kill.left == 0,
        f"{kill.left} of {kill.processes} processes",
    )
    refusals = f"{len(journal.refusals)} refused" + (f", the first: {journal.refusals[0]}" if journal.refusals else "")
    yield Claim("every question was answered", not journal.refusals, refusals)


def _log(evidence: Evidence) -> Iterator[Claim]:
    for audit in evidence.audits:
        errors = f"{audit.missing} missing, {audit.repeated} repeated, {audit.altered} altered"
        yield Claim(
            f"{audit.application}: every acknowledged truth is in the log, once",
            audit.acknowledged > 0 and not (audit.missing or audit.repeated or audit.altered),
            f"{audit.acknowledged:,} acknowledged, {errors}",
        )
    differing = [audit.application for audit in evidence.audits if not audit.same_state]
    figures = ", ".join(differing) or f"{len(evidence.audits)} applications"
    yield Claim("what the policies know is the fold of the log", not differing, figures)


def _broke(evidence: Evidence, broken: Share) -> tuple[bool, str]:
    before = evidence.judged("before")
    errors = {model: model_error(before, model) for model in _models(evidence)}
    best = errors.pop(evidence.best)
    second = min(error.value for error in errors.values())
    was_best = best.value <= second + 3 * _standard_error(best)
    return was_best and broken.value > 0.8, f"{best}, the next {second:.1%}; then {broken}"


def _served_by(evidence: Evidence, policy: str) -> str:
    """The application whose policy this is."""
    return next(application for application, name in evidence.policies.items() if name == policy)


def _models(evidence: Evidence) -> list[str]:
    return [trained.model for trained in evidence.trained]


def _standard_error(error: Share) -> float:
    return sqrt(error.value * (1 - error.value) / max(1, error.whole))
