"""The health of an application's models, as one front end sees and keeps it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from feedback_store.contract import Applied, Outcome, Pending
from selector.decisions import Entry, Feedback, HealthChanged, HealthState, Prediction, Query
from selector.errors import InvalidLabel, WindjammerError
from selector.health import Monitor, Standing, quarantined
from serving.batching.queue import Expired
from serving.cache import Cache
from serving.config import ApplicationConfig
from serving.errors import ModelFailed
from serving.knowledge import Knowledge
from serving.models import Model
from serving.surroundings import Surroundings

if TYPE_CHECKING:
    from serving.gathering import Gathering

logger = logging.getLogger(__name__)

RATE = 1_000.0
"""Queries a second that are looked at, in the long run: the rest would take time and tell little more."""
BURST = 2_000.0


class HealthWatch:
    """Shows the monitor what happens, appends the changes that it proposes, and acts on them once they are durable.

    How the models stand is read from the fold, never kept. Everything happens on the loop's thread.
    """

    def __init__(
        self,
        config: ApplicationConfig,
        models: Mapping[str, Model],
        knowledge: Knowledge,
        cache: Cache,
        around: Surroundings,
    ) -> None:
        self.changes: Counter[tuple[str, HealthState]] = Counter()
        self._config = config
        self._models = models
        self._knowledge = knowledge
        self._cache = cache
        self._around = around
        self._monitor = Monitor(config.models, config.loss, config.task, config.probing_share, self._enough)
        self._standings: Mapping[str, Standing] = {}
        self._quarantined: frozenset[str] = frozenset()
        self._allowance = BURST
        self._refilled = around.steady()

    def quarantined(self) -> frozenset[str]:
        """The models that are left out now."""
        standings = self._knowledge.population.health
        if standings is not self._standings:
            self._resume(standings)
        return self._quarantined

    def state(self, model: str) -> HealthState:
        """How a model stands."""
        standing = self._knowledge.population.health.get(model)
        return "healthy" if standing is None else standing.state

    def describe(self) -> dict[str, dict[str, Any]]:
        """How every model stands, for people: `since` in seconds since the epoch, None if it has always been so."""
        standings = self._knowledge.population.health
        return {model: _described(standings.get(model)) for model in self._models}

    def concluded(self, gathering: Gathering) -> None:
        """A query has all the predictions that it will have."""
        now = self._around.steady()
        self._allowance = min(BURST, self._allowance + (now - self._refilled) * RATE)
        self._refilled = now
        if self._allowance >= 1.0:
            self._allowance -= 1.0
            failed = tuple(self._failed(gathering)) if gathering.errors or gathering.pending else ()
            self._propose(self._monitor.answered(gathering.query.id, gathering.predictions, failed))

    def probes(self, asked: Iterable[str]) -> tuple[tuple[str, float], ...]:
        """The models in quarantine, not `asked`, that shall be asked beside this query, with their probabilities."""
        models, quarantined = self._models, self.quarantined()
        if not quarantined:
            return ()
        idle = quarantined.difference(asked)
        up = [model for model in models if model in idle and models[model].available]
        return self._monitor.probes(up, self._around.rng)

    def told(self, gathering: Gathering, model: str, prediction: Prediction | None) -> None:
        """A model answered, or failed, after the answer had left: of one in quarantine that is a probe."""
        if model in self.quarantined() and model not in gathering.query.available:
            self._propose(self._monitor.told(model, prediction, gathering.predictions))

    def learned(self, entry: Entry) -> None:
        """Feedback has been folded."""
        self.quarantined()
        if isinstance(entry.event, Feedback):
            for decision in entry.decisions:
                with suppress(InvalidLabel):  # the fold has skipped it, and counted that
                    self._propose(self._monitor.learned(decision, entry.event))

    def _failed(self, gathering: Gathering) -> Iterator[str]:
        """Who failed, or took longer than the objective. Work that was refused tells of the load, not of the model."""
        patient = gathering.deadline - gathering.started >= self._config.slo
        for selection in gathering.selections:
            for model in selection.models:
                if model in gathering.predictions or not self._models[model].available:
                    continue
                error = gathering.errors.get(model)
                if isinstance(error, ModelFailed) or (patient and (error is None or isinstance(error, Expired))):
                    yield model

    def _propose(self, changes: Iterable[HealthChanged]) -> None:
        for change in changes:
            pending = Pending(self._config.name, None, self._around.wall(), change)
            self._around.writer.append(pending, partial(self._settle, change))

    def _settle(self, change: HealthChanged, outcome: Outcome | WindjammerError) -> None:
        if not isinstance(outcome, Applied):
            self._monitor.withdraw(change.model)
            return
        logger.warning("application %s: %s is %s: %s", self._config.name, change.model, change.state, change.evidence)
        self.changes[change.model, change.state] += 1
        self._knowledge.fold(outcome.entry)
        self.quarantined()

    def _resume(self, standings: Mapping[str, Standing]) -> None:
        """What a model has said before its health changed shall not be said for it again."""
        for model in self._models:
            if standings.get(model) != self._standings.get(model):
                self._cache.forget(model)
        self._standings = standings
        self._quarantined = quarantined(standings) if self._config.quarantine else frozenset()
        self._monitor.resume(standings)

    def _enough(self, models: tuple[str, ...]) -> bool:
        """Whether the policy would ask any of these, if there were no others."""
        if not self._config.quarantine:
            return False
        state = self._knowledge.population.state
        return self._knowledge.policy.select(state, Query(0, models), [], {}, self._around.rng) is not None


def _described(standing: Standing | None) -> dict[str, Any]:
    if standing is None:
        return {"state": "healthy", "since": None, "evidence": ""}
    return {"state": standing.state, "since": standing.since, "evidence": standing.evidence}
