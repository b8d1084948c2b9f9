"""One application: the data path of predict, from the request to the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from hashlib import blake2b
from random import Random
from typing import Any

from msgspec import UNSET, Struct, json

from feedback_store.contract import Row
from feedback_store.writer import Writer
from selector.decisions import Answer, Decision, Prediction, Query, Selection, encode
from selector.errors import InvalidLabel, WindjammerError
from selector.policy import Policy
from serving.answers import final_answer
from serving.cache import Cache
from serving.class_names import ClassNames
from serving.config import ApplicationConfig
from serving.deadlines import Deadlines
from serving.errors import ConflictingFeedback, ShuttingDown
from serving.feedback import FeedbackPath
from serving.gathering import Gathering
from serving.knowledge import Knowledge
from serving.measures import Measures
from serving.models import Model
from serving.query_ids import QueryIds
from serving.recents import Recent, Recents
from serving.updates import update
from serving.values import Input, ObserveRequest, PredictReply, PredictRequest, Reply, UpdateRequest

logger = logging.getLogger(__name__)

RECENT_BYTES = 32 << 20


class Surroundings(Struct, frozen=True):
    """What the applications of one front end share.

    Clocks in seconds: `wall` since the epoch, `steady` for deadlines. `update_timeout` in seconds.
    """

    writer: Writer
    ids: QueryIds
    deadlines: Deadlines
    wall: Callable[[], float]
    steady: Callable[[], float]
    rng: Random
    update_timeout: float


class Application:
    """The data path of predict: state -> select -> (cache | queue -> worker) -> combine -> spool -> answer.

    `models` are the deployed versions by key, sorted. Everything happens on the loop's thread.
    """

    def __init__(
        self, config: ApplicationConfig, models: dict[str, Model], knowledge: Knowledge, around: Surroundings
    ) -> None:
        self.config = config
        self.name = config.name
        self.models = models
        self.knowledge = knowledge
        self.around = around
        self.policy: Policy[Any] = config.policy
        self.classes = None if config.classes is None else ClassNames(config.classes)
        self.cache = Cache(config.cache_bytes, config.cache_ttl, around.steady)
        for model in models.values():
            model.watch(self.cache.forget)
        self.recents = Recents(RECENT_BYTES)
        self.measures = Measures()
        self.feedback = FeedbackPath(self, around.writer)
        self.under_way = 0
        self.closing = False
        self._keys = tuple(models)
        self._policy_name = config.policy.name

    def available(self) -> tuple[str, ...]:
        """The models that may be asked now, sorted."""
        for model in self.models.values():
            if not model.available:
                return tuple([key for key, model in self.models.items() if model.available])
        return self._keys

    def admit(self, reply: Reply) -> bool:
        """Whether a query may enter; if not, `reply` hears why. Whoever entered leaves by `under_way -= 1`."""
        if self.closing:
            self.measures.refused += 1
            reply(ShuttingDown("The server is shutting down"))
            return False
        self.under_way += 1
        return True

    def predict(self, request: PredictRequest, reply: Reply) -> None:
        """Answer a query: `reply` is called once, at the deadline at the latest."""
        client = request.client_id
        if client is not None and self.recents.query_of(client) is not None:
            reply(ConflictingFeedback(f"query_id {client!r} has been used before"))
            return
        if not self.admit(reply):
            return
        around = self.around
        started = around.steady()
        deadline = started + (self.config.slo if request.timeout is None else request.timeout)
        query = Query(around.ids.next(), self.available(), request.user, request.context)
        state = self.knowledge.state_for(request.user)
        gathering = Gathering(self, state, query, request.input, started, deadline, reply)
        gathering.client_id = client
        gathering.advance()
        if not gathering.finished:
            around.deadlines.add(deadline, gathering)

    def observe(self, request: ObserveRequest, reply: Reply) -> None:
        """Learn from feedback: `reply` is called once, when it is on disk and folded."""
        self.feedback.observe(request, reply)

    def update(self, request: UpdateRequest, reply: Reply) -> None:
        """Learn from a labelled input without an earlier predict: `reply` is called once, when that is on disk."""
        update(self.feedback, request, reply)

    def state(self, user: str | None) -> dict[str, Any]:
        """What the policy knows, for people: by model for this user, and how far the log has been folded.

        `digest` is of the population's whole state: equal for equal folds.
        """
        population = self.knowledge.population
        return {
            "policy": json.decode(self.policy.settings),
            "position": population.position,
            "digest": blake2b(population.encode(), digest_size=16).hexdigest(),
            "skipped": population.skipped,
            "user": user,
            "models": self.policy.describe(self.knowledge.state_for(user)),
        }

    def choose(self, gathering: Gathering) -> Selection | None:
        """The policy's next round."""
        return self.policy.select(
            gathering.state, gathering.query, gathering.selections, gathering.predictions, self.around.rng
        )

    def ask(self, model: str, gathering: Gathering) -> None:
        """Ask one model by way of the cache."""
        self.cache.ask(self.models[model], gathering.input, gathering.deadline, gathering)

    def conclude(self, gathering: Gathering) -> None:
        """Combine what is there, log the decision, answer."""
        answer = final_answer(self.config, self.combine(gathering), gathering)
        shadows = self._shadows(gathering)
        decision = self.record(gathering, answer, shadows)
        self.under_way -= 1
        self.measures.answered(self.around.steady() - gathering.started, answer)
        gathering.reply(self._reply(gathering, decision, answer))
        for shadow in shadows:
            self._ask_in_shadow(shadow, gathering)

    def abandon(self, gathering: Gathering, error: Exception) -> None:
        """There is no answer: say why."""
        self.under_way -= 1
        self.measures.errors += 1
        if not isinstance(error, WindjammerError):
            logger.error("application %s: policy %s raised", self.name, self._policy_name, exc_info=error)
        gathering.reply(error)

    def late(self, gathering: Gathering, model: str, prediction: Prediction) -> None:
        """Keep a prediction that missed the answer for the feedback."""
        recent = self.recents.get(gathering.query.id)
        if recent is not None:
            recent.late = {**(recent.late or {}), model: prediction}

    def cached(self, model: str, asked: Input) -> Prediction | None:
        """What a model is known to say of an input, in terms of the application's classes."""
        prediction = self.cache.peek(model, asked)
        if prediction is None or self.classes is None:
            return prediction
        try:
            return self.classes.of_prediction(prediction)
        except InvalidLabel:
            return None

    def combine(self, gathering: Gathering) -> Answer:
        """The policy's answer from what has arrived."""
        return self.policy.combine(gathering.state, gathering.query, gathering.selections, gathering.predictions)

    def record(self, gathering: Gathering, answer: Answer, shadows: tuple[Selection, ...] = ()) -> Decision:
        """Put the decision into the spool, from where not even SIGKILL takes it, and remember it for its feedback."""
        query = gathering.query
        predictions = gathering.predictions
        decision = Decision(
            self.name,
            query,
            self.around.wall(),
            self._policy_name,
            tuple(gathering.selections),
            predictions,
            answer,
            shadows,
        )
        kept = encode(gathering.input) if self.config.log_inputs else None
        self.around.writer.record(Row(query.id, self.name, query.user, gathering.client_id, encode(decision), kept))
        self.recents.add(query.id, Recent(query.user, gathering.input, tuple(predictions)), gathering.client_id)
        return decision

    def _shadows(self, gathering: Gathering) -> tuple[Selection, ...]:
        share = self.config.shadow_share
        if share == 0 or self.around.rng.random() >= share:
            return ()
        asked = {model for selection in gathering.selections for model in selection.models}
        rest = tuple([model for model in gathering.query.available if model not in asked])
        return (Selection(rest, share),) if rest else ()

    def _ask_in_shadow(self, shadow: Selection, gathering: Gathering) -> None:
        deadline = self.around.steady() + self.around.update_timeout
        for model in shadow.models:
            self.cache.ask(self.models[model], gathering.input, deadline, gathering)

    def _reply(self, gathering: Gathering, decision: Decision, answer: Answer) -> PredictReply:
        assert answer.output is not None
        return PredictReply(
            gathering.client_id or str(decision.query.id),
            answer.output,
            answer.default,
            answer.confidence,
            answer.sure,
            {model: prediction.output for model, prediction in decision.predictions.items()},
            self._policy_name,
            UNSET if answer.explanation is None else answer.explanation,
        )
