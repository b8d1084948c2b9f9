"""`windjammer replay`: evaluate, print, write the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import numpy as np
from msgspec import to_builtins
from numpy.typing import NDArray
from rich.console import Console

from feedback_store.ownership import StoreInUse
from selector.replay import ESTIMATORS, Evaluation, InvalidCandidate, InvalidLog, LoggedDecisions
from selector.replay.evaluator import evaluate_source
from selector.replay.learning import constant
from selector.replay.source import Lookup, Matrix, Memory, Part, Source
from serving.errors import CannotAdopt
from serving.progress import progress
from serving.refusal import refuse
from serving.replaying import candidates as candidate_files
from serving.replaying import mapping
from serving.replaying.console import show
from serving.replaying.files import ParsedLog, parsed
from serving.replaying.policies import asked_for
from serving.replaying.request import Request
from serving.replaying.results import SEGMENTS, Results, Settings, as_builtins, iso, verdict
from serving.replaying.tables import Advance
from serving.settings import ConfigError, check_choice


def run(request: Request) -> None:
    """Evaluate and print; exits with 2, after one sentence on stderr, where the log or a candidate is at fault."""
    try:
        _replay(request)
    except StoreInUse:
        refuse("a server runs on this log: POST /admin/applications/{app}/evaluate has it adopt a policy itself")
    except (InvalidLog, InvalidCandidate, ConfigError, CannotAdopt) as error:
        refuse(str(error))


def _replay(request: Request) -> None:
    if not 0.0 < request.confidence < 1.0:
        raise InvalidCandidate(f"--confidence: expected a number between 0 and 1, found {request.confidence:g}")
    if request.seed < 0:
        raise InvalidCandidate(f"--seed: expected a number that is at least 0, found {request.seed}")
    if request.app is not None and request.log is not None:
        raise InvalidLog("expected --log FILE or --app NAME, found both")
    for name in request.estimators:
        check_choice("estimator", name, ESTIMATORS, "--estimator")
    if request.yes and not request.promote:
        raise InvalidCandidate("--yes goes with --promote")
    if request.promote and request.app is None:
        raise InvalidCandidate("--promote goes with --app: a log in a file has no policy to replace")
    results = _of_application(request) if request.app is not None else _of_file(request)
    if request.report is not None:
        from serving.replaying.page import write

        write(request.report, results)
    if request.as_json:
        Console().print_json(data=as_builtins(results))
    else:
        show(results)


def _of_application(request: Request) -> Results:
    from serving.config import load
    from serving.replaying.store import results

    with progress("evaluating", shown=not request.as_json) as (evaluating,):
        return results(request, load(request.config), evaluating)


def _of_file(request: Request) -> Results:
    if request.log is None:
        raise InvalidLog("expected --log FILE, or --app NAME")
    columns, files = mapping.parse(request.map), candidate_files.parse(request.candidates)
    if not files and request.policy is None and not request.compare:
        raise InvalidCandidate("expected at least one --candidate NAME=FILE, or --policy NAME")
    estimators = tuple(request.estimators) or tuple(ESTIMATORS)
    with (
        progress("reading the log", "evaluating", shown=not request.as_json) as (reading, evaluating),
        parsed(request.log, columns, files, request.by, reading) as found,
    ):
        whole = _evaluate(request, found, estimators, evaluating)
        segments = {
            name: _evaluate(request, _cut(found, rows), estimators)
            for name, rows in sorted(found.segments.items(), key=lambda item: -len(item[1]))[:SEGMENTS]
        }
        times = found.log.times
        settings = Settings(
            log=str(request.log),
            decisions=len(found.log),
            first=None if times is None else iso(float(times.min())),
            last=None if times is None else iso(float(times.max())),
            mapping=to_builtins(columns),
            candidates={name: str(path) for name, path in files.items()} | _written(request, found),
            estimators=estimators,
            by=request.by,
            confidence=request.confidence,
            seed=request.seed,
            version=version("windjammer"),
        )
    return Results(
        settings=settings,
        whole=whole,
        segments=segments,
        smaller=len(found.segments) - len(segments),
        verdict=verdict(whole, request.confidence),
    )


def _evaluate(
    request: Request, found: ParsedLog, estimators: Sequence[str], advance: Advance | None = None
) -> Evaluation:
    learning, matrices = asked_for(request, "classification", {name: name for name in found.actions}, {}), {}
    for name, policy in learning.items():
        if name in found.matrices:
            raise InvalidCandidate(f"--candidate: {name!r} is also the name of a policy that is asked for")
        if policy.learns_from == "nothing":
            matrices[name] = constant(name, policy, found.actions)
    source: Source = Memory(found.log, found.matrices | matrices, names=found.actions)
    if advance is not None:
        source = _Watched(source, len(found.log), advance)
    learning = {name: policy for name, policy in learning.items() if name not in matrices}
    return evaluate_source(source, learning, estimators, request.confidence, request.seed)


def _written(request: Request, found: ParsedLog) -> dict[str, str]:
    policies = asked_for(request, "classification", {name: name for name in found.actions}, {})
    return {name: policy.settings for name, policy in policies.items()}


def _cut(found: ParsedLog, rows: NDArray[np.intp]) -> ParsedLog:
    log = found.log
    contexts = {name: column[rows] for name, column in log.contexts.items()} or None
    users = None if log.users is None else log.users[rows]
    times = None if log.times is None else log.times[rows]
    cut = LoggedDecisions(log.actions[rows], log.rewards[rows], log.probabilities[rows], contexts, users, times)
    matrices: dict[str, Matrix] = {
        name: Lookup(each.table, each.rows[rows]) if isinstance(each, Lookup) else each[rows]
        for name, each in found.matrices.items()
    }
    return ParsedLog(cut, found.actions, matrices)


class _Watched:
    """A source that says how far it has been read, twice over."""

    def __init__(self, source: Source, decisions: int, advance: Advance) -> None:
        self.actions, self.candidates = source.actions, source.candidates
        self._source, self._total, self._advance = source, 2 * decisions, advance
        self._done = 0

    def parts(self) -> Iterator[Part]:
        """See Source."""
        for part in self._source.parts():
            yield part
            self._done += len(part)
            self._advance(self._done / self._total)
