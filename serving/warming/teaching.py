"""Examples become decisions in an application's log, each with its label, and are folded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from msgspec import Struct

from feedback_store.contract import Applied, Log, Pending, Row, Snapshot
from feedback_store.recovery import restore
from selector.decisions import Decision, Feature, Feedback, Query, Selection, encode
from selector.population import Population
from serving.config import ApplicationConfig, ModelConfig
from serving.promotion import announce
from serving.query_ids import QueryIds
from serving.service import fold_key
from serving.warming.examples import Example

GROUP = 64
"""Examples that are answered by what is known before any of them, and committed together."""


class Lesson(Struct, frozen=True):
    """What came of it: how many examples were `appended`, and how many the log had already."""

    appended: int
    known: int


class Teacher:
    """Appends examples to the log of an application that nobody else writes: no server may run.

    An example is what an update would have made of it: a decision of its own, by no policy, in which all models that
    have an output were asked with probability 1, answered by what the policy had learned by then, and the label.
    `config` has the policy in force, `ids` give query ids after all that the log has, `clock` seconds since the epoch.
    """

    def __init__(
        self,
        config: ApplicationConfig,
        models: Sequence[ModelConfig],
        log: Log,
        ids: QueryIds,
        clock: Callable[[], float],
    ) -> None:
        self.config = config
        self.log = log
        self._ids = ids
        self._clock = clock
        self._profiles: dict[str, dict[str, Feature]] = {
            model.key: {"cost": model.cost, "version": model.version} for model in models
        }

    def teach(self, examples: Iterable[Example]) -> Lesson:
        """Append those that are not known yet. Each group is whole: what cut this short may be repeated."""
        config, log, key = self.config, self.log, fold_key(self.config.fold)
        population = config.fold.everyone()
        restore(log, config.name, None, key, population)
        announce(log, config, population, self._clock())
        appended = known = 0
        remaining = iter(examples)
        while group := list(islice(remaining, GROUP)):
            new = [example for example in group if log.query_of(config.name, example.client) is None]
            self._append(new, population)
            appended += len(new)
            known += len(group) - len(new)
        log.save([Snapshot(config.name, None, key, population.position, population.encode())])
        return Lesson(appended, known)

    def _append(self, examples: Sequence[Example], population: Population) -> None:
        rows, events = [], []
        for example in examples:
            decision = self._decision(example, population)
            query = decision.query
            rows.append(Row(query.id, decision.application, query.user, example.client, encode(decision)))
            feedback = Feedback((query.id,), example.label)
            events.append(Pending(decision.application, query.user, decision.at, feedback))
        for outcome in self.log.commit(rows, events) if rows else ():
            assert isinstance(outcome, Applied)
            population.fold(outcome.entry)

    def _decision(self, example: Example, population: Population) -> Decision:
        policy = self.config.policy
        models = tuple(example.predictions)
        about = {key: self._profiles[key] for key in models} if policy.reads_about else {}
        query = Query(self._ids.next(), models, example.user, example.features, about)
        selections = (Selection(models, 1.0),)
        answer = policy.combine(population.state, query, selections, example.predictions)
        return Decision(self.config.name, query, self._clock(), "", selections, example.predictions, answer)
