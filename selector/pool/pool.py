"""Two opinions on which label is right, mixed by their record."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from copy import copy
from itertools import combinations
from math import exp
from statistics import fmean

from msgspec import Struct, field

from selector.decisions import Label, Prediction
from selector.pool.ballot import NONE, UNSCORED, Ballot, Vote, score_of, spread, stretch
from selector.pool.confusions import LABELS, Confusions
from selector.pool.gradient import softmax
from selector.pool.opinions import Lesson, Opinions, best
from selector.pool.strengths import Strengths
from selector.pool.voter import Duel, Voter

LEADERS = 8
"""Models whose agreements are followed pair by pair, at most: the most accurate."""

_EVIDENCE = 1.6  # the initial weights of all evidence, summed
_LOG, _ERROR = 0.2, exp(-0.5)  # how log loss and an error count in an opinion's record
_SHARE = 0.001  # fixed share between the opinions
_LEAST = 1e-4


class Pool(Struct, array_like=True):
    """All that is known of the models, sorted by name; labels get ids as they come.

    Models that give labels, scores or distributions are taken as they are, mixed. A model whose accuracy has changed
    is learned anew, all else is kept. `share` is that of the first opinion. Memory is bounded.
    """

    models: tuple[str, ...] = ()
    voters: list[Voter] = []
    leaders: list[int] = []
    labels: dict[Label, int] = {}
    strengths: Strengths = field(default_factory=lambda: Strengths([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]))
    confusions: Confusions = field(default_factory=lambda: Confusions([0.0, 1.0], [0.0, 1.0]))
    share: float = 0.5
    seen: int = 0

    def with_models(self, models: Sequence[str]) -> Pool:
        """A pool of these models, those that join being unknown. To read, or to go on with instead of this one."""
        names = tuple(sorted(set(models)))
        known = dict(zip(self.models, self.voters, strict=True))
        weight = _initial_weight(len(names))
        voters = [copy(known[name]) if name in known else Voter([weight, 1.0]) for name in names]
        known_strengths = self.strengths if self.seen else Strengths([weight, 1.0], [weight, 1.0], self.strengths.bias)
        strengths = Strengths(known_strengths.coalition, known_strengths.duels, known_strengths.bias)
        pool = Pool(names, voters, [], self.labels, strengths, self.confusions, self.share, self.seen)
        pool._elect()
        return pool

    def ballot(self, predictions: Mapping[str, Prediction]) -> Ballot:
        """The predictions of the models that the pool knows."""
        candidates: dict[Label, int] = {}
        votes: list[Vote] = []
        scores, distributions = [], []
        voters = self.voters
        for i, model in enumerate(self.models):
            prediction = predictions.get(model)
            if prediction is None:
                continue
            label, score = prediction.output, prediction.score
            vote = candidates.get(label)
            if vote is None:
                vote = candidates[label] = len(candidates)
            if prediction.probabilities is not None:
                score = score_of(prediction)
                distributions.append((i, prediction))
            if score is None:
                votes.append((i, vote, UNSCORED, 0.0))
            else:
                votes.append((i, vote, bisect_right(voters[i].ranks.edges, score), stretch(score)))
                scores.append((i, score))
        known, labels = self.labels, list(candidates)
        ids = [NONE] * (len(labels) + 1)
        for o, label in enumerate(labels):
            ids[o] = known.get(label, 0)
        spreads = {}
        if distributions and len(labels) > 1:
            for i, said in distributions:
                spreads[i] = spread(said, labels)
        return Ballot(labels, ids, votes, scores, spreads)

    def opinions(self, ballot: Ballot) -> Opinions:
        """The chance of each outcome: of each candidate, and that none of them is right."""
        scores, evidence = self.strengths.scores(ballot, self.voters, self.leaders, self.models)
        first = softmax(scores)
        scores, before = self.confusions.scores(scores, ballot, self.voters)
        second = softmax(scores)
        share, rest = self.share, 1.0 - self.share
        mixed = []
        for o, q in enumerate(second):
            mixed.append(share * first[o] + rest * q)
        return Opinions(first, second, mixed, evidence, before)

    def learn(
        self, predictions: Mapping[str, Prediction], right: Mapping[str, bool]
    ) -> tuple[Lesson | None, list[int]]:
        """Who was right, as far as known, in place.

        Returns what there was to learn, if anything, and the indices of the models whose accuracy turned out to have
        changed.
        """
        ballot = self.ballot(predictions)
        if 0 in ballot.ids and len(self.labels) < LABELS - 1:
            self._name(ballot.labels)
            ballot = self.ballot(predictions)
        lesson = self._learn_labels(ballot, right) if ballot.labels else None
        voters = self.voters
        for i, score in ballot.scores:
            voters[i].ranks.add(score)
        changed = []
        for i, model in enumerate(self.models):
            if model in right and voters[i].accuracy.add(right[model]):
                changed.append(i)
                self._forget(i)
        self.seen += 1
        if len(self.models) > LEADERS and self.seen & (self.seen - 1) == 0:
            self._elect()
        return lesson, changed

    def _learn_labels(self, ballot: Ballot, right: Mapping[str, bool]) -> Lesson | None:
        opinions = self.opinions(ballot)
        truth, possible = self._truth(ballot, opinions.mixed, right)
        if not possible:
            return None
        self._rate(opinions, possible)
        self.strengths.learn(ballot, self.voters, opinions.evidence, truth, opinions.first)
        self.confusions.learn(ballot, self.voters, opinions.before, truth, opinions.second, possible)
        return Lesson(ballot, opinions.mixed, truth)

    def _name(self, labels: Sequence[Label]) -> None:
        """Ids for labels that are new, as long as there are any."""
        for label in labels:
            if label not in self.labels and len(self.labels) < LABELS - 1:
                self.labels[label] = len(self.labels) + 1

    def _truth(
        self, ballot: Ballot, chances: Sequence[float], right: Mapping[str, bool]
    ) -> tuple[list[float], list[int]]:
        """The chance of each outcome now that it is known who was right, and which are possible: none if unknown."""
        wrong, models = set(), self.models
        for i, vote, _, _ in ballot.votes:
            is_right = right.get(models[i])
            if is_right:
                truth = [0.0] * len(chances)
                truth[vote] = 1.0
                return truth, [vote]
            if is_right is not None:
                wrong.add(vote)
        if not wrong:
            return [], []
        left = [0.0 if o in wrong else chance for o, chance in enumerate(chances)]
        total = sum(left)
        return [chance / total for chance in left], [o for o in range(len(left)) if o not in wrong]

    def _rate(self, opinions: Opinions, possible: Sequence[int]) -> None:
        """The first opinion's share, by log loss and error, tempered, with fixed share, in place."""
        first = self.share * _merit(opinions.first, possible)
        second = (1.0 - self.share) * _merit(opinions.second, possible)
        self.share = (1.0 - _SHARE) * first / (first + second) + _SHARE / 2

    def _elect(self) -> None:
        """Choose the leaders, and forget the duels of others, in place."""
        ranked = sorted(range(len(self.models)), key=lambda i: (-self.voters[i].accuracy.rate, i))
        self.leaders = sorted(ranked[:LEADERS])
        duels: list[dict[str, Duel]] = [{} for _ in self.models]
        for i, j in combinations(self.leaders, 2):
            name = self.models[j]
            duels[i][name] = self.voters[i].duels.get(name) or Duel()
        for voter, kept in zip(self.voters, duels, strict=True):
            voter.duels = kept
        self.strengths.coalitions = {}

    def _forget(self, i: int) -> None:
        """Learn a model anew: its accuracy has changed. Its word weighs as the others' do on average."""
        name, old = self.models[i], self.voters[i]
        others = [voter for voter in self.voters if voter is not old] or [Voter([_initial_weight(1), 1.0])]
        weight, confusion = fmean([v.weight[0] for v in others]), fmean([v.confusion[0] for v in others])
        self.voters[i] = Voter([weight, 1.0], old.accuracy, old.ranks, confusion=[confusion, 1.0])
        self.voters[i].duels = {other: Duel() for other in old.duels}
        for voter in self.voters:
            if name in voter.duels:
                voter.duels[name] = Duel()
        self.strengths.coalitions = {}


def _merit(opinion: Sequence[float], possible: Sequence[int]) -> float:
    """By what factor an opinion's share grows, up to a common one, if one of these outcomes is right."""
    chance = _LEAST
    for o in possible:
        chance += opinion[o]
    merit: float = chance**_LOG
    return merit if best(opinion) in possible else merit * _ERROR


def _initial_weight(models: int) -> float:
    """Of each piece of evidence, so that all together do not claim too much."""
    leaders = min(models, LEADERS)
    return _EVIDENCE / (models + leaders * (leaders - 1) / 2 + 1)
