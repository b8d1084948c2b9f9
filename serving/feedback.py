"""The way of feedback: found, checked, appended, durable, folded, acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct

from feedback_store.contract import Applied, Conflict, Duplicate, Log, Outcome, Pending
from feedback_store.writer import Writer
from selector.decisions import Feedback, Label, Prediction
from selector.errors import InvalidLabel, WindjammerError
from serving.errors import BadRequest, ConflictingFeedback, UnknownQueryId
from serving.recents import Recent
from serving.values import ObserveReply, ObserveRequest, Reply

if TYPE_CHECKING:
    from serving.application import Application


class Subject(Struct, frozen=True):
    """The decision that feedback is about."""

    query: int
    user: str | None


class FeedbackPath:
    """What an application does with the truth. Everything happens on the loop's thread."""

    def __init__(self, application: Application, writer: Writer) -> None:
        self.application = application
        self._writer = writer

    def observe(self, request: ObserveRequest, reply: Reply) -> None:
        """Join feedback with its decisions; acknowledged when it is on disk and folded."""
        application = self.application
        try:
            label = None if request.label is None else self.checked(request.label)
        except InvalidLabel as error:
            reply(error)
            return
        if not application.admit(None, reply):
            return
        self._find(request.queries, partial(self._append, request, label, self._leaving(reply)))

    def checked(self, label: Label) -> Label:
        """The label in terms of the application's vocabulary. Raises InvalidLabel if the loss cannot take it."""
        application = self.application
        application.config.loss.check(label)
        return label if application.vocabulary is None else application.vocabulary.of(label)

    def settle(self, reply: Reply, query_id: str | None, outcome: Outcome | WindjammerError) -> None:
        """Fold what is durable now, and acknowledge."""
        application = self.application
        match outcome:
            case Applied(entry):
                application.knowledge.fold(entry)
                application.health.learned(entry)
                application.measures.applied += 1
                reply(_acknowledged("applied", query_id))
            case Duplicate():
                application.measures.duplicates += 1
                reply(_acknowledged("duplicate", query_id))
            case Conflict(_, feedback):
                application.measures.conflicts += 1
                given = f"label {feedback.label!r}" if feedback.label is not None else f"reward {feedback.reward!r}"
                reply(ConflictingFeedback(f"The query has other feedback already: {given}"))
            case WindjammerError():
                reply(outcome)
            case _:
                reply(UnknownQueryId(f"No decision {outcome.query} of application {application.name!r}"))

    def _leaving(self, reply: Reply) -> Reply:
        def leave(result: object) -> None:
            self.application.under_way -= 1
            reply(result)  # type: ignore[arg-type]

        return leave

    def _find(self, queries: tuple[int | str, ...], done: Callable[[list[Subject] | WindjammerError], None]) -> None:
        recents = self.application.recents
        found: list[Subject] = []
        for query in queries:
            # Which decision a client's id names is for the log to say: the first that has it.
            recent = None if isinstance(query, str) else recents.get(query)
            if isinstance(query, str) or recent is None:
                self._writer.call(partial(_subjects, self.application.name, queries), done)
                return
            found.append(Subject(query, recent.user))
        done(found)

    def _append(
        self, request: ObserveRequest, label: Label | None, reply: Reply, subjects: list[Subject] | WindjammerError
    ) -> None:
        if isinstance(subjects, WindjammerError):
            reply(subjects)
            return
        user = subjects[0].user
        if any(subject.user != user for subject in subjects):
            reply(BadRequest("The queries of one episode must be of one user"))
            return
        queries = tuple([subject.query for subject in subjects])
        recent = self.application.recents.get(queries[0]) if len(queries) == 1 else None
        if recent is not None and recent.shadows is not None and not recent.shadows.finished:
            recent.shadows.then(partial(self._append, request, label, reply, subjects))
            return
        joined = {} if recent is None else self._joined(recent)
        event = Feedback(queries, label, request.reward, joined)
        self._writer.append(
            Pending(self.application.name, user, self.application.around.wall(), event),
            partial(self.settle, reply, None),
        )

    def _joined(self, recent: Recent) -> dict[str, Prediction]:
        application = self.application
        joined = dict(recent.late)
        for model in application.models:
            if model not in recent.predicted and model not in joined:
                prediction = application.cached(model, recent.input)
                if prediction is not None:
                    joined[model] = prediction
        return joined


def _subjects(application: str, queries: tuple[int | str, ...], log: Log) -> list[Subject]:
    """Reads the log, on the writer's thread. Raises UnknownQueryId."""
    subjects = []
    for id_ in queries:
        query = log.query_of(application, id_) if isinstance(id_, str) else id_
        decision = None if query is None else log.decision(application, query)
        if query is None or decision is None:
            raise UnknownQueryId(f"No decision {id_} of application {application!r}")
        subjects.append(Subject(query, decision.query.user))
    return subjects


def _acknowledged(status: str, query_id: str | None) -> ObserveReply:
    return ObserveReply(status, UNSET if query_id is None else query_id)
