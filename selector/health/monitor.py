"""One application's models, watched: what a front end sees of them goes in, changes of their health come out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random

from selector.decisions import Decision, Feedback, HealthChanged, HealthState, Prediction
from selector.health.course import examined, probed, rescued, watched
from selector.health.electorate import Electorate
from selector.health.guess import Guess
from selector.health.labelled import Case, cases
from selector.health.probes import Probes
from selector.health.signs import Findings, Signs
from selector.health.standing import Standing, quarantined
from selector.health.trial import Trials
from selector.health.votes import Row, Votes
from selector.losses import Loss, losses_of
from selector.policy import Task

BLOCK = 32  # queries that are looked at together
CLOSELY = 8  # the same, while a model is on probation, fails to answer, or seems to dissent more


class Monitor:
    """Watches `models`. Each method that takes something in returns the changes that it proves, to be appended.

    What has been proposed is not proposed again until `resume` tells how the models stand, or `withdraw` that
    nothing came of it. The models' states are the fold's; what was observed is kept here, and starts anew with each
    Monitor. A model in quarantine is seen by its probes alone. `share` is the share of queries that are probes;
    `enough` says whether the application can do with some models alone: if not, no other is sent into quarantine.
    """

    def __init__(
        self,
        models: Iterable[str],
        loss: Loss,
        task: Task,
        share: float,
        enough: Callable[[tuple[str, ...]], bool] = bool,
    ) -> None:
        self._probes = Probes(share)
        self._enough = enough
        self._loss = loss
        self._numbers = task == "regression"
        self._guess = Guess(loss, task)
        self._signs = {model: Signs() for model in sorted(models)}
        self._electorate = Electorate(self._signs, self._numbers)
        self._trials: dict[str, Trials] = {}
        self._standings: Mapping[str, Standing] = {}
        self._resting: frozenset[str] = frozenset()
        self._proposed: set[str] = set()
        self._rows: list[Row] = []
        self._failed: Counter[str] = Counter()
        self._due = BLOCK
        self._newest = 0

    def resume(self, standings: Mapping[str, Standing]) -> None:
        """The models stand like this now, by the fold of the log."""
        for model in self._signs:
            standing, before = standings.get(model), self._standings.get(model)
            if standing != before:
                self._proposed.discard(model)
                self._begin(model, standing, before)
        resting = quarantined(standings)
        if resting != self._resting:
            self._resting = resting
            for signs in self._signs.values():
                signs.forget_siblings()
        self._standings = standings
        self._due = self._until_look()

    def withdraw(self, model: str) -> None:
        """What was proposed of this model will not come about: it may be proposed again."""
        self._proposed.discard(model)

    def state(self, model: str) -> HealthState:
        """How a model stands."""
        standing = self._standings.get(model)
        return "healthy" if standing is None else standing.state

    def probes(self, models: Iterable[str], rng: Random) -> tuple[tuple[str, float], ...]:
        """Those of `models` (in quarantine) that are to be probed with this query, each with its probability."""
        return self._probes.draw(models, rng)

    def answered(self, query: int, predictions: Row, failed: Sequence[str] = ()) -> list[HealthChanged]:
        """A query was answered with these predictions; models in `failed` gave none, by error or in time.

        `query` is its id: later queries have greater ones.
        """
        self._newest = max(self._newest, query)
        if predictions:
            self._rows.append(predictions)
        if failed:
            self._failed.update(failed)
            return self._look() if self._failed.total() >= CLOSELY or len(self._rows) >= self._due else []
        return self._look() if len(self._rows) >= self._due else []

    def told(self, model: str, prediction: Prediction | None, siblings: Row) -> list[HealthChanged]:
        """What came of a probe: its prediction or None, beside those of its siblings for the same query."""
        trials = self._trials.get(model)
        if trials is None:
            return []
        before = trials.hope
        trials.add("failures", 1, float(prediction is None))
        if prediction is not None:
            trials.say([prediction.output])
            trials.add("dissent", *self._electorate.of_one(model, prediction, siblings))
        self._probes.follow(model, trials, before)
        return self._judge(model, trials)

    def learned(self, decision: Decision, feedback: Feedback) -> list[HealthChanged]:
        """Feedback about a decision. Raises InvalidLabel if the loss cannot take it.

        A reward counts where one model was asked: it tells of the others only when they agree.
        """
        if feedback.label is None and len(decision.predictions) != 1:
            return []
        losses = losses_of(decision, feedback, self._loss)
        if feedback.label is not None:
            self._guess.learn(feedback.label)
        changes = []
        for model, case in cases(decision, feedback, losses, self._resting, self._guess.chance):
            if model in self._signs:
                changes += self._score(model, case, decision.at)
        return changes

    def findings(self, model: str) -> Findings:
        """What the signals of a model say now."""
        siblings = [signs for other, signs in self._signs.items() if other != model and self._asked(other)]
        return self._signs[model].findings(siblings, self._guess.loss, self._numbers)

    def _begin(self, model: str, standing: Standing | None, before: Standing | None) -> None:
        state = "healthy" if standing is None else standing.state
        if standing is not None and state in ("quarantined", "probing"):
            earlier = self._trials.get(model)
            relapses = 0 if earlier is None else earlier.relapses + (state == "quarantined")
            self._trials[model] = Trials(standing.levels, relapses)
            self._signs[model] = Signs()
        elif self._trials.pop(model, None) is not None:
            levels = {} if before is None else before.levels
            self._signs[model] = Signs({name: well for name, (well, _) in levels.items()})
        self._probes.forget(model)

    def _asked(self, model: str) -> bool:
        return model not in self._resting

    def _score(self, model: str, case: Case, at: float) -> list[HealthChanged]:
        trials, signs, standing = self._trials.get(model), self._signs[model], self._standings.get(model)
        if standing is not None and standing.state != "suspect" and at < standing.since:
            return []  # of the time before
        if trials is not None:
            before = trials.hope
            trials.add("loss", 1, case.loss)
            self._probes.follow(model, trials, before)
            return self._judge(model, trials)
        changed = signs.loss.changed
        signs.learn(case)
        if changed == signs.loss.changed:
            return self._examine(model) if changed else []
        return self._look()

    def _judge(self, model: str, trials: Trials) -> list[HealthChanged]:
        if self._asked(model):
            return self._propose(watched(model, trials, self._spared(model)))
        return self._propose(probed(model, trials))

    def _look(self) -> list[HealthChanged]:
        """Take in the queries that wait."""
        rows, failed = self._rows, self._failed
        self._rows, self._failed = [], Counter()
        votes = self._electorate.count(rows)
        changes: list[HealthChanged] = []
        for model, signs in self._signs.items():
            said = [row[model] for row in rows if model in row]
            if said or failed[model]:
                self._take(model, signs, said, failed[model], votes)
        for model, trials in self._trials.items():
            changes += self._judge(model, trials)
        for model in self._signs:
            changes += self._examine(model)
        self._due = self._until_look()
        return changes

    def _until_look(self) -> int:
        """The queries that are looked at together next: few while something seems to happen."""
        closely = self._trials or any(signs.dissent.leaving for signs in self._signs.values())
        return CLOSELY if closely else BLOCK

    def _take(self, model: str, signs: Signs, said: Sequence[Prediction], failed: int, votes: Votes) -> None:
        trials = self._trials.get(model)
        outputs = [prediction.output for prediction in said]
        asked, dissents = votes.asked[model], votes.dissents[model]
        if failed or signs.failures.watched:
            signs.failures.add(len(said) + failed, failed)
        if trials is not None:
            trials.add("failures", len(said) + failed, failed)
            trials.add("dissent", asked, dissents)
            trials.say(outputs)
            return
        if outputs:
            if model not in self._electorate.mute and votes.asked:
                signs.dissent.vote(asked, dissents, outputs, votes.minds, self._newest)
            signs.run.add(outputs)
        scores = [prediction.score for prediction in said if prediction.score is not None]
        if scores:
            signs.score.add(len(scores), sum(scores))

    def _examine(self, model: str) -> list[HealthChanged]:
        if model in self._trials or model in self._proposed:
            return []
        state = self.state(model)
        if state == "healthy" and self._signs[model].quiet:
            return []
        findings = self.findings(model)
        spared = bool(findings.failed) and self._spared(model)
        changes = self._propose(examined(model, state, findings, spared))
        return changes if spared or not findings.failed else changes + self._rescue()

    def _rescue(self) -> list[HealthChanged]:
        """Where everyone who is asked has failed, those in quarantine are asked again: they can be no worse."""
        if not all(self._has_failed(model) for model in self._signs if self._asked(model)):
            return []
        resting = [(model, trials) for model, trials in self._trials.items() if not self._asked(model)]
        return [change for model, trials in resting for change in self._propose(rescued(model, trials))]

    def _spared(self, model: str) -> bool:
        """Whether others are left that the application can do with, and one of them has not failed."""
        left = [m for m in self._signs if m != model and self._asked(m) and m not in self._proposed]
        return any(not self._has_failed(other) for other in left) and self._enough(tuple(left))

    def _has_failed(self, model: str) -> bool:
        trials = self._trials.get(model)
        return bool(trials.relapsed) if trials is not None else bool(self.findings(model).failed)

    def _propose(self, change: HealthChanged | None) -> list[HealthChanged]:
        if change is None or change.model in self._proposed:
            return []
        self._proposed.add(change.model)
        return [change]
