"""One application: the data path of predict, from the request to the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from feedback_store.contract import Row
from selector.decisions import Answer, Decision, Feature, Prediction, Query, Selection, encode
from selector.errors import InvalidLabel, WindjammerError
from selector.learner import Learner
from selector.policy import Policy
from serving.answers import final_answer
from serving.cache import Cache
from serving.config import ApplicationConfig
from serving.errors import ConflictingFeedback, ShuttingDown
from serving.feedback import FeedbackPath
from serving.gathering import Gathering
from serving.health import HealthWatch
from serving.hooks import Hooks
from serving.knowledge import Adoption, Knowledge
from serving.measures import Measures
from serving.models import Model
from serving.profiles import Profiles
from serving.recents import Recent, Recents
from serving.shadows import Shadows
from serving.spending import Spending
from serving.surroundings import Surroundings
from serving.updates import update
from serving.values import Input, ObserveRequest, PredictReply, PredictRequest, Reply, UpdateRequest
from serving.vocabulary import vocabulary_of

logger = logging.getLogger(__name__)

RECENT_BYTES = 32 << 20


class Application:
    """The data path of predict: state -> select -> (cache | queue -> worker) -> combine -> spool -> answer.

    `models` are the deployed versions by key, sorted. Everything happens on the loop's thread.
    """

    def __init__(
        self,
        config: ApplicationConfig,
        models: dict[str, Model],
        knowledge: Knowledge,
        hooks: Hooks,
        around: Surroundings,
    ) -> None:
        self.config = config
        self.hooks = hooks
        self.name = config.name
        self.models = models
        self.knowledge = knowledge
        self.around = around
        self.clock = around.steady
        self.policy: Policy[Any] = config.policy
        self.vocabulary = vocabulary_of(config.task, config.classes)
        self.cache = Cache(config.cache_bytes, config.cache_ttl, around.steady)
        for model in models.values():
            model.watch(self.cache.forget)
        self.recents = Recents(RECENT_BYTES)
        self.measures = Measures()
        self.spending = Spending({key: model.cost for key, model in models.items()}, config.policy)
        self.feedback = FeedbackPath(self, around.writer)
        self.health = HealthWatch(config, models, knowledge, self.cache, around)
        self._profiles = Profiles(models, around.steady)
        self.under_way = 0
        self._named: set[str] = set()  # by clients, whose decisions are not recorded yet
        self.closing = False
        self._keys = tuple(models)

    def available(self) -> tuple[str, ...]:
        """The models that may be asked now, sorted: those that are up, and of them only those in quarantine left out.

        If none but those are up, they are asked after all.
        """
        quarantined = self.health.quarantined()
        if quarantined:
            up = [key for key, model in self.models.items() if model.available]
            return tuple([key for key in up if key not in quarantined]) or tuple(up)
        for model in self.models.values():
            if not model.available:
                return tuple([key for key, model in self.models.items() if model.available])
        return self._keys

    def query(self, available: tuple[str, ...], user: str | None, features: dict[str, Feature]) -> Query:
        """A new question, as the policy sees it."""
        about = self._profiles.now() if self.policy.reads_about else {}
        return Query(self.around.ids.next(), available, user, features, about)

    def admit(self, client: str | None, reply: Reply) -> bool:
        """Whether a call may enter; if not, `reply` hears why. `client` is the id that it gives to a new decision.

        Who entered is counted in `under_way` until it leaves.
        """
        if self.closing:
            self.measures.refused += 1
            reply(ShuttingDown("The server is shutting down"))
            return False
        if client is not None:
            if client in self._named or self.recents.query_of(client) is not None:
                reply(ConflictingFeedback(f"query_id {client!r} has been used before"))
                return False
            self._named.add(client)
        self.under_way += 1
        return True

    def leave(self, gathering: Gathering) -> None:
        """The gathering's call is over; saying so again changes nothing."""
        if gathering.inside:
            gathering.inside = False
            self.under_way -= 1
            if gathering.client_id is not None:
                self._named.discard(gathering.client_id)

    def predict(self, request: PredictRequest, reply: Reply) -> None:
        """Answer a query: `reply` is called once, at the deadline at the latest."""
        around = self.around
        started = around.steady()
        deadline = started + (self.config.slo if request.timeout is None else request.timeout)
        user, features = self.hooks.read(request.input, request.user, request.context)
        state = self.knowledge.state_for(user)  # whatever may raise comes before the call is counted
        if not self.admit(request.client_id, reply):
            return
        query = self.query(self.available(), user, features)
        gathering = Gathering(self, self.policy, state, query, request.input, started, deadline, reply)
        gathering.client_id = request.client_id
        gathering.advance()
        if not gathering.finished:
            around.deadlines.add(deadline, gathering)

    def observe(self, request: ObserveRequest, reply: Reply) -> None:
        """Learn from feedback: `reply` is called once, when it is on disk and folded."""
        self.feedback.observe(request, reply)

    def update(self, request: UpdateRequest, reply: Reply) -> None:
        """Learn from a labelled input without an earlier predict: `reply` is called once, when that is on disk."""
        update(self.feedback, request, reply)

    def adopt(self, adoption: Adoption, done: Callable[[WindjammerError | None], None]) -> None:
        """Have another policy decide, once all that the log knows is in its state; `done` hears that, or why not.

        Queries under way are answered by the policy that met them.
        """

        def settle(error: WindjammerError | None) -> None:
            if error is None:
                self.config = replace(self.config, policy=adoption.fold.policy)
                self.policy = adoption.fold.policy
                self.spending.heed(self.policy)
            done(error)

        self.knowledge.adopt(adoption, self.around.wall(), settle)

    def state(self) -> dict[str, Any]:
        """What the policy knows of everyone, for people: by model, and how far the log has been folded.

        `digest` is of the whole state: equal for equal folds. `spending` is no part of it, but counted since the start.
        """
        return {**self.knowledge.describe(), "spending": self.spending.describe()}

    def state_of(self, user: str, done: Callable[[dict[str, Any] | WindjammerError], None]) -> None:
        """The same for one user: `models` as a query of that user meets them, `own` from that user's feedback alone."""

        def tell(found: Learner | WindjammerError) -> None:
            if isinstance(found, WindjammerError):
                done(found)
                return
            population = self.knowledge.population
            own, policy = found.policy.describe(found.state), population.policy
            met = self.knowledge.met(found) if policy.per_user else None
            models = policy.describe(population.state if met is None else met)
            done({**self.state(), "user": user, "models": models, "own": own})

        self.knowledge.look_up(user, tell)

    def choose(self, gathering: Gathering) -> Selection | None:
        """The policy's next round; after the first, of models that can still answer before the deadline."""
        query = gathering.query
        later = gathering.policy.asks_on and gathering.selections
        available = self._in_time(gathering) if later else query.available
        whole = len(available) == len(query.available)
        selection = gathering.policy.select(
            gathering.state,
            query if whole else replace(query, available=available),
            gathering.selections,
            gathering.predictions,
            self.around.rng,
        )
        return selection if whole or selection is None else replace(selection, available=available)

    def ask(self, model: str, gathering: Gathering) -> None:
        """Ask one model for what the gathering is about."""
        self._ask(model, gathering, gathering.deadline)

    def conclude(self, gathering: Gathering) -> None:
        """Combine what is there, log the decision, answer."""
        self.health.concluded(gathering)
        judged = self.knowledge.judge(self.combine(gathering), gathering.predictions)
        answer = final_answer(self.config, judged, gathering)
        shadows = self._shadows(gathering) if self.config.shadow_share else ()
        if self.health.quarantined():
            shadows += tuple([Selection((model,), p) for model, p in self.health.probes(gathering.query.available)])
        decision = self.record(gathering, gathering.policy.name, answer, shadows)
        self.leave(gathering)
        self.measures.answered(self.around.steady() - gathering.started, answer)
        gathering.reply(self._reply(gathering, decision, answer))
        self.knowledge.load(decision.query.user)
        for shadow in shadows:
            self._ask_in_shadow(shadow, gathering)

    def abandon(self, gathering: Gathering, error: Exception) -> None:
        """There is no answer: say why."""
        self.leave(gathering)
        self.measures.errors += 1
        if not isinstance(error, WindjammerError):
            logger.error("application %s: policy %s raised", self.name, gathering.policy.name, exc_info=error)
        gathering.reply(error)

    def late(self, gathering: Gathering, model: str, prediction: Prediction) -> None:
        """Keep a prediction that missed the answer for the feedback."""
        self.recents.add_late(gathering.query.id, model, prediction)
        self.health.told(gathering, model, prediction)

    def missed(self, gathering: Gathering, model: str) -> None:
        """A shadow query failed."""
        self.recents.add_late(gathering.query.id, model, None)
        self.health.told(gathering, model, None)

    def cached(self, model: str, asked: Input) -> Prediction | None:
        """What a model is known to say of an input, in terms of the application's vocabulary."""
        prediction = self.cache.peek(model, asked)
        if prediction is None or self.vocabulary is None:
            return prediction
        try:
            return self.vocabulary.of_prediction(prediction)
        except InvalidLabel:
            return None

    def combine(self, gathering: Gathering) -> Answer:
        """The policy's answer from what has arrived."""
        return gathering.policy.combine(gathering.state, gathering.query, gathering.selections, gathering.predictions)

    def record(
        self, gathering: Gathering, policy: str, answer: Answer, shadows: tuple[Selection, ...] = ()
    ) -> Decision:
        """Put a decision of `policy` into the spool, from where not even SIGKILL takes it; remember it for feedback."""
        query = gathering.query
        predictions = gathering.predictions
        decision = Decision(
            self.name,
            query,
            self.around.wall(),
            policy,
            tuple(gathering.selections),
            predictions,
            answer,
            shadows,
            gathering.latencies,
        )
        self.spending.enter(predictions)
        kept = encode(gathering.input) if self.config.log_inputs else None
        self.around.writer.record(Row(query.id, self.name, query.user, gathering.client_id, encode(decision), kept))
        recent = Recent(query.user, gathering.input, tuple(predictions))
        if shadows:
            recent.shadows = Shadows([model for shadow in shadows for model in shadow.models])
            self.around.deadlines.add(self.around.steady() + self.config.slo, recent.shadows)
        self.recents.add(query.id, recent, gathering.client_id)
        return decision

    def _in_time(self, gathering: Gathering) -> tuple[str, ...]:
        """The models that were asked, or would still answer in time."""
        asked = {model for selection in gathering.selections for model in selection.models}
        deadline = gathering.deadline
        return tuple([m for m in gathering.query.available if m in asked or self.models[m].answer_at() <= deadline])

    def _shadows(self, gathering: Gathering) -> tuple[Selection, ...]:
        share = self.config.shadow_share
        if self.around.rng.random() >= share:
            return ()
        asked = {model for selection in gathering.selections for model in selection.models}
        rest = tuple([model for model in gathering.query.available if model not in asked])
        return (Selection(rest, share),) if rest else ()

    def _ask_in_shadow(self, shadow: Selection, gathering: Gathering) -> None:
        deadline = self.around.steady() + self.around.update_timeout
        for model in shadow.models:
            self._ask(model, gathering, deadline)

    def _ask(self, model: str, gathering: Gathering, deadline: float) -> None:
        """By way of the cache if there is one: without, each query is asked for itself."""
        if self.cache.limit:
            self.cache.ask(self.models[model], gathering.input, deadline, gathering)
        else:
            self.models[model].ask(gathering.input, deadline, gathering)

    def _reply(self, gathering: Gathering, decision: Decision, answer: Answer) -> PredictReply:
        assert answer.output is not None
        return PredictReply(
            gathering.client_id or str(decision.query.id),
            answer.output,
            answer.default,
            answer.confidence,
            answer.sure,
            {model: prediction.output for model, prediction in decision.predictions.items()},
            decision.policy,
            UNSET if answer.explanation is None else answer.explanation,
            UNSET if answer.interval is None else answer.interval,
            {model: p.cost for model, p in decision.predictions.items() if p.cost is not None} or UNSET,
            UNSET if answer.default or not answer.top else answer.top,
        )
