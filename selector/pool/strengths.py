"""The first opinion: weighted votes. It knows no classes, so it learns from few labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import log2
from operator import mul

from msgspec import Struct

from selector.logarithm import LN2
from selector.pool.ballot import Ballot, Vote
from selector.pool.gradient import NEGLIGIBLE, Weight, differences, step
from selector.pool.opinions import Contest, Evidence
from selector.pool.voter import COARSE, MEMORY, Voter, forget

_RATE = 0.05
_COALITIONS = 4096  # remembered at most
_BASE = 16  # digits of a coalition's key


class Coalition(Struct, array_like=True):
    """How often each outcome was right, and log(that / times none of the candidates was), from one of each."""

    counts: list[float]
    log_odds: list[float]

    def add(self, truth: Sequence[float]) -> None:
        """Count one label, in place: the chance of each outcome."""
        counts, log_odds = self.counts, self.log_odds
        full = sum(counts) >= MEMORY
        if full:
            forget(counts)
        rest = log2(counts[-1] + truth[-1] + 1.0)
        for o, chance in enumerate(truth):
            if chance:
                counts[o] += chance
                log_odds[o] = LN2 * (log2(counts[o] + 1.0) - rest)
        if full or truth[-1]:
            log_odds[:] = [LN2 * (log2(count + 1.0) - rest) for count in counts]


_UNKNOWN = Coalition([], [])


class Strengths(Struct, array_like=True):
    """Weights of all evidence that is not about one model alone, and who was right by who agreed with whom.

    The score of a candidate is a sum over its voters: the log odds that a model is right given its score's bin, the
    score itself, its record against each model that disagrees; and the record of this very coalition.
    """

    coalition: Weight
    duels: Weight
    bias: Weight
    coalitions: dict[int, Coalition] = {}

    def scores(
        self, ballot: Ballot, voters: Sequence[Voter], leaders: Sequence[int], names: Sequence[str]
    ) -> tuple[list[float], Evidence]:
        """Scores of the outcomes, in log odds."""
        scores, key = [0.0] * len(ballot.ids), 0
        for i, vote, bin_, x in ballot.votes:
            voter = voters[i]
            scores[vote] += voter.weight[0] * voter.cells[bin_][2] + voter.score[0] * x
            key = key * _BASE + vote + 1
        scores[-1] = self.bias[0]
        for i, spreads in ballot.spreads.items():
            weight = voters[i].spread[0]
            for o, x in enumerate(spreads):
                scores[o] += weight * x
        votes = ballot.votes
        if len(votes) < len(voters) or len(leaders) < len(voters):
            votes = [vote for vote in votes if vote[0] in leaders]
            key = _key(votes, leaders)
        contests, margins = _contests(votes, voters, names, len(ballot.labels))
        record = self.coalitions.get(key, _UNKNOWN).log_odds
        if len(record) != len(scores):
            record = [0.0] * len(scores)
        duels, coalition = self.duels[0], self.coalition[0]
        for o, margin in enumerate(margins):
            scores[o] += duels * margin + coalition * record[o]
        return scores, Evidence(contests, margins, key, record)

    def learn(
        self, ballot: Ballot, voters: Sequence[Voter], found: Evidence, truth: Sequence[float], claim: Sequence[float]
    ) -> None:
        """One label, in place: the chance of each outcome, now that it is known, and before."""
        residuals = differences(truth, claim)
        telling = max(residuals) > NEGLIGIBLE
        if telling:
            step(self.bias, residuals[-1], _RATE)
            coalition = duels = 0.0
            for o, margin in enumerate(found.margins):
                coalition += residuals[o] * found.record[o]
                duels += residuals[o] * margin
            step(self.coalition, coalition, _RATE)
            step(self.duels, duels, _RATE)
            for i, spreads in ballot.spreads.items():
                step(voters[i].spread, sum(map(mul, residuals, spreads)), _RATE)
        for i, vote, bin_, x in ballot.votes:
            voter, residual = voters[i], residuals[vote]
            if telling:
                step(voter.weight, residual * voter.cells[bin_][2], _RATE)
                if x:
                    step(voter.score, residual * x, _RATE)
            voter.add(bin_, truth[vote])
        for duel, first, second, key in found.contests:
            duel.add(key, truth[first], truth[second])
        self._count(found.coalition, truth)

    def _count(self, key: int, truth: Sequence[float]) -> None:
        coalition = self.coalitions.get(key)
        if coalition is None:
            coalition = Coalition([0.0] * len(truth), [0.0] * len(truth))
            if len(self.coalitions) < _COALITIONS:
                self.coalitions[key] = coalition
        if len(coalition.counts) == len(truth):
            coalition.add(truth)


def _key(votes: Sequence[Vote], leaders: Sequence[int]) -> int:
    """Who of the leaders is there, and who of them agree; `votes` are theirs."""
    if len(votes) < len(leaders):
        said = {i: vote for i, vote, _, _ in votes}
        votes = [(i, said.get(i, -1), 0, 0.0) for i in leaders]
    key = 0
    for _, vote, _, _ in votes:
        key = key * _BASE + (vote + 1) % _BASE
    return key


def _contests(
    votes: Sequence[Vote], voters: Sequence[Voter], names: Sequence[str], candidates: int
) -> tuple[list[Contest], list[float]]:
    """All pairs of these voters that disagree, and the sum of what is known of them, by candidate."""
    found: list[Contest] = []
    margins = [0.0] * candidates
    if candidates < 2:
        return found, margins
    for (i, vote, bin_, _), (j, other, other_bin, _) in combinations(votes, 2):
        if vote != other:
            duel, key = voters[i].duels[names[j]], bin_ // 2 * COARSE + other_bin // 2
            cell = duel.by_score.get(key) or duel.anywhere()
            margins[vote] += cell[3]
            margins[other] += cell[4]
            found.append((duel, vote, other, key))
    return found, margins
