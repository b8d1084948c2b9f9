"""The first opinion: weighted votes. It knows no classes, so it learns from few labels."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from msgspec import Struct

from selector.pool.ballot import COARSE, Ballot, coarse
from selector.pool.gradient import NEGLIGIBLE, Weight, step
from selector.pool.opinions import Contest, Evidence
from selector.pool.voter import MEMORY, Cell, Voter, forget

_RATE = 0.05
_COALITIONS = 4096  # remembered at most
_BASE = 16  # digits of a coalition's key


class Strengths(Struct, array_like=True):
    """Weights of all evidence that is not about one model alone, and who was right by who agreed with whom.

    The score of a candidate is a sum over its voters: the log odds that a model is right given its score's bin, the
    score itself, its record against each model that disagrees; and the record of this very coalition.
    """

    coalition: Weight
    bias: Weight
    coalitions: dict[int, Cell] = {}

    def scores(
        self, ballot: Ballot, voters: Sequence[Voter], leaders: Sequence[int], names: Sequence[str]
    ) -> tuple[list[float], Evidence]:
        """Scores of the outcomes, in log odds."""
        scores = [0.0] * len(ballot.labels)
        scores.append(self.bias[0])
        for i, vote, bin_, stretched in zip(ballot.voters, ballot.votes, ballot.bins, ballot.stretched, strict=True):
            voter = voters[i]
            scores[vote] += voter.weight[0] * voter.log_odds(bin_) + voter.score[0] * stretched
        for i, spreads in ballot.spreads.items():
            _add(scores, spreads, voters[i].spread[0])
        contests = _contests(ballot, voters, leaders, names) if len(ballot.labels) > 1 else []
        for contest in contests:
            weight = contest.duel.weight[0]
            scores[contest.first] += weight * contest.odds[0]
            scores[contest.second] += weight * contest.odds[1]
        key = _key(ballot, leaders)
        odds = self._odds(key, len(scores))
        _add(scores, odds, self.coalition[0])
        return scores, Evidence(contests, key, odds)

    def learn(
        self, ballot: Ballot, voters: Sequence[Voter], found: Evidence, truth: Sequence[float], claim: Sequence[float]
    ) -> None:
        """One label, in place: the chance of each outcome, now that it is known, and before."""
        residuals = [t - p for t, p in zip(truth, claim, strict=True)]
        if max(residuals) > NEGLIGIBLE:
            self._step(ballot, voters, found, residuals)
        for i, vote, bin_ in zip(ballot.voters, ballot.votes, ballot.bins, strict=True):
            voters[i].add(bin_, truth[vote])
        for contest in found.contests:
            contest.duel.add(contest.bin, truth[contest.first], truth[contest.second])
        self._count(found.coalition, truth)

    def _step(self, ballot: Ballot, voters: Sequence[Voter], found: Evidence, residuals: Sequence[float]) -> None:
        step(self.bias, residuals[-1], _RATE)
        step(self.coalition, _product(residuals, found.odds), _RATE)
        for i, vote, bin_, stretched in zip(ballot.voters, ballot.votes, ballot.bins, ballot.stretched, strict=True):
            voter = voters[i]
            step(voter.weight, residuals[vote] * voter.log_odds(bin_), _RATE)
            if stretched:
                step(voter.score, residuals[vote] * stretched, _RATE)
        for i, spreads in ballot.spreads.items():
            step(voters[i].spread, _product(residuals, spreads), _RATE)
        for contest in found.contests:
            x, y = contest.odds
            step(contest.duel.weight, residuals[contest.first] * x + residuals[contest.second] * y, _RATE)

    def _odds(self, key: int, outcomes: int) -> list[float]:
        """For each candidate log(times it was right / times none was), from one of each; nothing if never met."""
        cell = self.coalitions.get(key)
        if cell is None or len(cell) != outcomes:
            return []
        none = cell[-1] + 1.0
        return [log((count + 1.0) / none) for count in cell[:-1]]

    def _count(self, key: int, truth: Sequence[float]) -> None:
        cell = self.coalitions.get(key)
        if cell is None:
            if len(self.coalitions) < _COALITIONS:
                self.coalitions[key] = list(truth)
        elif len(cell) == len(truth):
            if sum(cell) >= MEMORY:
                forget(cell)
            for o, chance in enumerate(truth):
                cell[o] += chance


def _key(ballot: Ballot, leaders: Sequence[int]) -> int:
    """Who of the leaders is there, and who of them agree."""
    votes = ballot.votes
    if len(votes) != len(leaders):
        there = dict(zip(ballot.voters, votes, strict=True))
        votes = [there.get(i, -1) for i in leaders]
    key = 0
    for vote in votes:
        key = key * _BASE + (vote + 1 if vote < _BASE - 2 else _BASE - 1)
    return key


def _contests(ballot: Ballot, voters: Sequence[Voter], leaders: Sequence[int], names: Sequence[str]) -> list[Contest]:
    """All pairs of leaders that disagree."""
    here = list(zip(ballot.voters, ballot.votes, ballot.bins, strict=True))
    if len(here) > len(leaders):
        here = [vote for vote in here if vote[0] in leaders]
    found = []
    for n, (i, vote, bin_) in enumerate(here):
        duels, row = voters[i].duels, coarse(bin_) * COARSE
        for j, other, other_bin in here[n + 1 :]:
            if other != vote:
                duel, key = duels[names[j]], row + coarse(other_bin)
                found.append(Contest(duel, vote, other, key, duel.log_odds(key)))
    return found


def _add(scores: list[float], inputs: Sequence[float], weight: float) -> None:
    for o, x in enumerate(inputs):
        scores[o] += weight * x


def _product(residuals: Sequence[float], inputs: Sequence[float]) -> float:
    """Of the candidates alone: "none" has no input."""
    return sum([r * x for r, x in zip(residuals, inputs, strict=False)])
