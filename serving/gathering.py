"""One query under way: holds what has arrived, asks what comes next, ends once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from selector.decisions import Prediction, Query, Selection
from selector.errors import InvalidLabel, WindjammerError
from selector.policy import Policy
from serving.errors import ModelFailed
from serving.values import Input, Reply
from serving.vocabulary import Vocabulary

logger = logging.getLogger(__name__)


class Course(Protocol):
    """Who steers gatherings: an application's predictions, or its updates.

    `vocabulary` is what models may say, where that is known; `clock` tells seconds, of which only differences matter.
    """

    vocabulary: Vocabulary | None
    clock: Callable[[], float]

    def choose(self, gathering: Gathering) -> Selection | None:
        """The next round, or None when there is nothing more to ask."""

    def ask(self, model: str, gathering: Gathering) -> None:
        """Send the gathering's input to a model; the gathering hears of it."""

    def conclude(self, gathering: Gathering) -> None:
        """Everything needed is in, or the deadline has come: answer. Called once."""

    def abandon(self, gathering: Gathering, error: Exception) -> None:
        """Choosing or concluding raised: answer with the error."""

    def late(self, gathering: Gathering, model: str, prediction: Prediction) -> None:
        """A prediction came after the end."""

    def missed(self, gathering: Gathering, model: str) -> None:
        """A prediction that could have come after the end will not."""


class Gathering:
    """The predictions for one query, round by round.

    `policy` and its `state` are those that met the query; `inside` is whether the application still counts it.
    Driven by callbacks only. Ends when the course chooses no further round, or at the deadline;
    predictions that arrive later are handed to the course as late. `began` is when the last round did; `latencies` are
    a decision's.
    """

    __slots__ = (
        "asking",
        "began",
        "client_id",
        "course",
        "deadline",
        "errors",
        "finished",
        "input",
        "inside",
        "latencies",
        "pending",
        "policy",
        "predictions",
        "query",
        "reply",
        "selections",
        "started",
        "state",
    )

    def __init__(
        self,
        course: Course,
        policy: Policy[Any],
        state: Any,
        query: Query,
        asked: Input,
        started: float,
        deadline: float,
        reply: Reply,
    ) -> None:
        self.course = course
        self.policy = policy
        self.state = state
        self.query = query
        self.input = asked
        self.started = started
        self.deadline = deadline
        self.reply = reply
        self.client_id: str | None = None
        self.selections: list[Selection] = []
        self.predictions: dict[str, Prediction] = {}
        self.latencies: dict[str, int] = {}
        self.began = started
        self.errors: dict[str, WindjammerError] = {}
        self.pending = 0
        self.asking = False
        self.finished = False
        self.inside = True

    def advance(self) -> None:
        """Ask round after round as long as every answer is there at once; end when no round follows."""
        course = self.course
        self.asking = True
        while self.pending == 0:
            try:
                selection = course.choose(self)
                if selection is not None:
                    self.selections.append(selection)
                    self.pending = len(selection.models)
                    self.began = course.clock()
                    for model in selection.models:
                        course.ask(model, self)
            except Exception as error:
                self.finished = True
                course.abandon(self, error)
                return
            if selection is None:
                self._end()
                return
        self.asking = False

    def arrived(self, model: str, prediction: Prediction) -> None:
        """A model answered."""
        course = self.course
        if course.vocabulary is not None:
            try:
                prediction = course.vocabulary.of_prediction(prediction)
            except InvalidLabel as error:
                logger.warning("%s: %s", model, error)
                self.failed(model, ModelFailed(f"{model}: {error}"))
                return
        if self.finished:
            course.late(self, model, prediction)
            return
        self.predictions[model] = prediction
        self.latencies[model] = int((course.clock() - self.began) * 1e6)
        self._settle()

    def failed(self, model: str, error: WindjammerError) -> None:
        """A model will not answer."""
        if not self.finished:
            self.errors[model] = error
            self._settle()
        else:
            self.course.missed(self, model)

    def expire(self) -> None:
        """The deadline has come: end with what is there."""
        if not self.finished:
            self._end()

    def _end(self) -> None:
        self.finished = True
        try:
            self.course.conclude(self)
        except Exception as error:
            self.course.abandon(self, error)

    def _settle(self) -> None:
        self.pending -= 1
        if self.pending == 0 and not self.asking:
            self.advance()
