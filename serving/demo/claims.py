"""What the demonstration claims, checked against what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import hypot, sqrt
from statistics import fmean

from msgspec import Struct

from serving.demo.configuration import BLOCKS, SUCCESSORS, TARGET_ERROR
from serving.demo.costs import mean_cost, reported
from serving.demo.evidence import Evidence
from serving.demo.outcomes import Outcome, Share, answer_error, model_error, share, sure_error, sure_share

LEARNING = 50
"""Questions that may be needed to learn of a failure."""
MARGIN = 0.03
"""By how much a policy may be worse than the best model alive."""


class Claim(Struct, frozen=True):
    """A sentence, whether it holds, and the figures that say so."""

    sentence: str
    holds: bool
    figures: str


def claims(evidence: Evidence) -> list[Claim]:
    """Everything that is claimed, in the order of the story."""
    story = (_failure, _recovery, _progress, _thrift, _crash, _log)
    return [claim for part in story for claim in part(evidence)]


def _failure(evidence: Evidence) -> Iterator[Claim]:
    best = evidence.best
    during = evidence.judged("during")
    broken = model_error(during, best)
    yield Claim(f"{best} was the best model, then answered at random", *_broke(evidence, broken))
    for application, policy in evidence.policies.items():
        error = answer_error(evidence.journal.of("during", application))
        sentence = f"{policy} is wrong less than half as often as the broken model"
        yield Claim(sentence, error.value < broken.value / 2, f"{error} against {broken}")
    ensemble = _error(evidence, "ensemble", "during")
    alive, margin = set(_models(evidence)) - {best}, MARGIN + LEARNING / max(1, ensemble.whole)
    yield _close("ensemble stays close to the best model alive", ensemble, during, alive, margin)
    for policy in (*SUCCESSORS, *SUCCESSORS.values()):
        weight = [
            evidence.weights[stage][_served_by(evidence, policy)][best] for stage in ("before", "during", "after")
        ]
        figures = " -> ".join(f"{w:.3f}" for w in weight)
        yield Claim(f"{policy} stops trusting {best} while it fails", weight[1] < min(0.1, weight[0]), figures)


def _recovery(evidence: Evidence) -> Iterator[Claim]:
    best, after = evidence.best, evidence.judged("after")
    for policy in (*SUCCESSORS.values(), "cascade"):
        error = _error(evidence, policy, "after")
        yield _close(f"{policy} is good again when {best} is", error, after, [best], MARGIN)
    overall, errors = _error(evidence, "ensemble"), _model_errors(evidence)
    single = min(errors, key=lambda model: errors[model].value)
    sentence = "over the whole stream ensemble is no worse than the best single model, chosen with hindsight"
    yield _no_worse(sentence, overall, errors[single], f" ({single})")


def _progress(evidence: Evidence) -> Iterator[Claim]:
    for published, successor in SUCCESSORS.items():
        before, now = _error(evidence, published), _error(evidence, successor)
        yield _no_worse(f"over the whole stream {successor} is no worse than {published} as published", now, before)
    outcomes = evidence.journal.of(application=_served_by(evidence, "ensemble"))
    wrong, sure = sure_error(outcomes), sure_share(outcomes)
    yield Claim(
        f"of the answers that ensemble is sure of at most {TARGET_ERROR:.0%} are wrong",
        sure.part > 0 and wrong.value <= TARGET_ERROR,
        f"{wrong} of the {sure} that are sure",
    )


def _thrift(evidence: Evidence) -> Iterator[Claim]:
    blocks = reported(evidence.judged(), "gated:1")
    yield Claim(
        "gated runs fewer blocks than it has, and not the same for every image",
        len(set(blocks)) > 1 and fmean(blocks) < BLOCKS,
        f"{fmean(blocks):.2f} of {BLOCKS}, from {min(blocks):.0f} to {max(blocks):.0f}" if blocks else "none reported",
    )
    best, before = evidence.best, evidence.judged("before")
    error, margin = _error(evidence, "cascade", "before"), MARGIN + LEARNING / max(1, len(before))
    yield _close(f"cascade is close to {best} while that is well", error, before, [best], margin)
    spent = mean_cost(evidence.journal.of(application=_served_by(evidence, "cascade")), evidence.prices)
    alone = evidence.prices[best]
    sentence = f"an answer of cascade costs less than one of {best} alone"
    yield Claim(sentence, 0 < spent < alone, f"{spent:.2f} blocks against {alone:.2f}")


def _close(sentence: str, error: Share, judged: list[Outcome], models: Iterable[str], margin: float) -> Claim:
    """`error` is at most that of the best of `models` and `margin`, within three standard errors."""
    errors = {model: model_error(judged, model) for model in models}
    best = min(errors, key=lambda model: errors[model].value)
    limit = errors[best].value + margin + 3 * _standard_error(error)
    return Claim(sentence, error.value <= limit, f"{error} against {errors[best]} ({best}), at most {limit:.1%}")


def _no_worse(sentence: str, error: Share, other: Share, name: str = "") -> Claim:
    """`error` is at most the other, within three standard errors: a short stream tells no more."""
    limit = other.value + 3 * hypot(_standard_error(error), _standard_error(other))
    return Claim(sentence, error.value <= limit, f"{error} against {other}{name}, at most {limit:.1%}")


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


def _error(evidence: Evidence, policy: str, stage: str | None = None) -> Share:
    return answer_error(evidence.journal.of(stage, _served_by(evidence, policy)))


def _model_errors(evidence: Evidence) -> dict[str, Share]:
    judged = evidence.judged()
    return {model: model_error(judged, model) for model in _models(evidence)}


def _served_by(evidence: Evidence, policy: str) -> str:
    """The application whose policy this is."""
    return next(application for application, name in evidence.policies.items() if name == policy)


def _models(evidence: Evidence) -> list[str]:
    return [trained.model for trained in evidence.trained]


def _standard_error(error: Share) -> float:
    return sqrt(error.value * (1 - error.value) / max(1, error.whole))
