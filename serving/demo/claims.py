"""What the demonstration claims, checked against what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import sqrt

from msgspec import Struct

from serving.demo.evidence import Evidence
from serving.demo.outcomes import Outcome, Share, answer_error, model_error, share

LEARNING = 60
"""Questions that Exp4 may need to learn of a failure."""
MARGIN = 0.03
"""By how much a policy may be worse than the best model alive."""


class Claim(Struct, frozen=True):
    """A sentence, whether it holds, and the figures that say so."""

    sentence: str
    holds: bool
    figures: str


def claims(evidence: Evidence) -> list[Claim]:
    """Everything that is claimed, in the order of the story."""
    return [*_failure(evidence), *_recovery(evidence), *_crash(evidence)]


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
    alive, name = _least_error(during, set(_models(evidence)) - {best})
    allowed = alive.value + MARGIN + LEARNING / max(1, exp4.whole)
    yield Claim("exp4 stays close to the best model alive", _at_most(exp4, allowed), f"{exp4} against {alive} ({name})")
    for policy in ("exp3", "exp4"):
        weight = [
            evidence.weights[stage][_served_by(evidence, policy)][best] for stage in ("before", "during", "after")
        ]
        figures = " -> ".join(f"{w:.3f}" for w in weight)
        yield Claim(f"{policy} stops trusting {best} while it fails", weight[1] < min(0.1, weight[0]), figures)


def _recovery(evidence: Evidence) -> Iterator[Claim]:
    application = _served_by(evidence, "exp4")
    after = evidence.judged("after")
    error, best = answer_error(evidence.journal.of("after", application)), model_error(after, evidence.best)
    yield Claim(
        f"exp4 is close to {evidence.best} again when that is well again",
        _at_most(error, best.value + MARGIN),
        f"{error} against {best}",
    )
    overall = answer_error(evidence.journal.of(application=application))
    everything = evidence.judged()
    alone, name = _least_error(everything, _models(evidence))
    yield Claim(
        "over the whole stream exp4 is as good as any one model, chosen with hindsight",
        _at_most(overall, alone.value + 0.01),
        f"{overall} against {alone} ({name})",
    )


def _crash(evidence: Evidence) -> Iterator[Claim]:
    journal, kill = evidence.journal, evidence.kill
    sent_again = share(outcome.repeats > 0 for outcome in journal.outcomes)
    yield Claim(
        "the server was killed with requests in flight, and the users carried on",
        sent_again.part > 0,
        f"{sent_again.part} requests sent again, {kill.seconds:.1f} s until it served again",
    )
    yield Claim(
        "nothing of the killed server is left",
        kill.left == 0,
        f"{kill.processes} processes had been started by it, {kill.left} are left",
    )
    for audit in evidence.audits:
        lost = f"{audit.missing} missing, {audit.repeated} repeated, {audit.altered} altered"
        sound = not (audit.missing or audit.repeated or audit.altered) and audit.acknowledged > 0
        yield Claim(
            f"{audit.application}: every acknowledged truth is in the log, once",
            sound,
            f"{audit.acknowledged:,} acknowledged, {lost}",
        )
    differing = [audit.application for audit in evidence.audits if not audit.same_state]
    figures = ", ".join(differing) or f"{len(evidence.audits)} applications"
    yield Claim("what the policies know is the fold of the log", not differing, figures)
    refusals = f"{len(journal.refusals)} refused" + (f", the first: {journal.refusals[0]}" if journal.refusals else "")
    yield Claim("every question was answered", not journal.refusals, refusals)


def _broke(evidence: Evidence, broken: Share) -> tuple[bool, str]:
    before = evidence.judged("before")
    errors = {model: model_error(before, model) for model in _models(evidence)}
    best = errors.pop(evidence.best)
    was_best = all(_at_most(best, error.value) for error in errors.values())
    return (
        was_best and broken.value > 0.8,
        f"{best}, the next {min(error.value for error in errors.values()):.1%}; then {broken}",
    )


def _least_error(outcomes: list[Outcome], models: Iterable[str]) -> tuple[Share, str]:
    errors = [(model_error(outcomes, model), model) for model in models]
    return min(errors, key=lambda pair: pair[0].value)


def _served_by(evidence: Evidence, policy: str) -> str:
    """The application whose policy this is."""
    return next(application for application, name in evidence.policies.items() if name == policy)


def _models(evidence: Evidence) -> list[str]:
    return [trained.model for trained in evidence.trained]


def _at_most(error: Share, bound: float) -> bool:
    """Not above `bound`, within three standard errors of `error`'s own."""
    p = error.value
    return p <= bound + 3 * sqrt(p * (1 - p) / max(1, error.whole))
