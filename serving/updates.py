"""Labelled inputs without an earlier predict, as Clipper's `update` sends them."""

from __future__ import annotations

from functools import partial

from feedback_store.contract import Outcome, Pending
from selector.decisions import Feedback, Label, Prediction, Selection
from selector.errors import InvalidLabel, WindjammerError
from serving.answers import why_nothing
from serving.feedback import FeedbackPath
from serving.gathering import Gathering
from serving.values import ObserveRequest, Reply, UpdateRequest


class Update:
    """The course of one update: every model is asked with probability 1, scored, and the answer discarded.

    It is a decision of its own in the log, by no policy. Nobody waits for its answer, so its deadline is
    `update_timeout` and not the objective.
    """

    def __init__(self, path: FeedbackPath, label: Label) -> None:
        self.application = path.application
        self.vocabulary = path.application.vocabulary
        self.clock = path.application.clock
        self._path = path
        self._label = label

    def choose(self, gathering: Gathering) -> Selection | None:
        """All models that are available, once."""
        available = gathering.query.available
        return None if gathering.selections or not available else Selection(available, 1.0)

    def ask(self, model: str, gathering: Gathering) -> None:
        """Ask as the application would."""
        self.application.ask(model, gathering)

    def conclude(self, gathering: Gathering) -> None:
        """Log the decision, then its feedback; acknowledged when both are on disk."""
        application = self.application
        application.health.concluded(gathering)
        if not gathering.predictions:
            raise why_nothing(gathering)
        decision = application.record(gathering, "", application.combine(gathering))
        event = Feedback((decision.query.id,), self._label)
        query_id = gathering.client_id or str(decision.query.id)
        application.around.writer.append(
            Pending(application.name, decision.query.user, decision.at, event),
            partial(self._settle, gathering, query_id),
        )

    def abandon(self, gathering: Gathering, error: Exception) -> None:
        """There is nothing to learn from: say why."""
        self.application.abandon(gathering, error)

    def late(self, gathering: Gathering, model: str, prediction: Prediction) -> None:
        """The label has been joined already; what comes later is not used."""

    def missed(self, gathering: Gathering, model: str) -> None:
        """Nor does it matter that nothing comes."""

    def _settle(self, gathering: Gathering, query_id: str, outcome: Outcome | WindjammerError) -> None:
        self.application.leave(gathering)
        self._path.settle(gathering.reply, query_id, outcome)
        self.application.knowledge.load(gathering.query.user)


def update(path: FeedbackPath, request: UpdateRequest, reply: Reply) -> None:
    """Learn from a labelled input. With a client's id that is known already, the label joins that decision."""
    application, client = path.application, request.client_id
    try:
        label = path.checked(request.label)
    except InvalidLabel as error:
        reply(error)
        return
    begin = partial(_begin, path, label, request, reply)
    if client is None:
        begin(None)
    else:
        application.around.writer.call(lambda log: log.query_of(application.name, client), begin)


def _begin(
    path: FeedbackPath,
    label: Label,
    request: UpdateRequest,
    reply: Reply,
    known: int | WindjammerError | None,
) -> None:
    application = path.application
    if isinstance(known, WindjammerError):
        reply(known)
        return
    if known is not None:
        path.observe(ObserveRequest((known,), label=label), reply)
        return
    around = application.around
    started = around.steady()
    user, features = application.hooks.read(request.input, request.user, request.context)
    state = application.knowledge.state_for(user)
    if not application.admit(request.client_id, reply):
        return
    available = application.available()
    probes = [model for model, _ in application.health.probes(available)]
    query = application.query(tuple(sorted([*available, *probes])), user, features)
    gathering = Gathering(
        Update(path, label),
        application.policy,
        state,
        query,
        request.input,
        started,
        started + around.update_timeout,
        reply,
    )
    gathering.client_id = request.client_id
    gathering.advance()
    if not gathering.finished:
        around.deadlines.add(gathering.deadline, gathering)
