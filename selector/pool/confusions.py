"""The second opinion: what each label of each model has turned out to mean."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from operator import mul, sub

from msgspec import Struct

from selector.logarithm import LN2
from selector.pool.ballot import BINS, Ballot
from selector.pool.gradient import NEGLIGIBLE, Weight, step
from selector.pool.opinions import Meanings
from selector.pool.voter import SHRINKAGE, Cell, Cells, Voter

LABELS = 1024
"""Label ids, at most; 0 stands for all others."""

_RATE = 0.07
_TAKEN_OVER = 0.5  # of the first opinion's scores: the same answers are then looked at once more
_CURVATURE = 0.5  # a new weight's sum of squared gradients
_REACH = 3.0  # stretched scores, within [-5, 5], are divided by it, so that they teach about as fast as the rest
_ROWS, _CELLS = 2048, 24  # answers of one model, and outcomes of one answer, remembered at most
_NOTHING: Cells = {}  # what is known of an answer that was never given


class Confusions(Struct, array_like=True):
    """How often each outcome was right, by id.

    The score of an outcome is half of the first opinion's and, for each voter, log P(outcome | its label and its
    score's bin) by counts (naive Bayes, with a learned weight), a weight of its own, and the score itself, weighted by
    label and outcome. Logarithms are of counts, which is all the same to the softmax.
    """

    prior: Weight
    bias: Weight
    counts: dict[int, float] = {}

    def scores(self, first: Sequence[float], ballot: Ballot, voters: Sequence[Voter]) -> tuple[list[float], Meanings]:
        """Scores of the outcomes, in log odds, given those of the first opinion."""
        ids, counts, others = ballot.ids, self.counts, self._others(ballot)
        scores, before, prior = [], [], self.prior[0]
        for o, outcome in enumerate(ids):
            x = LN2 * log2(counts.get(outcome, 0.0) + 1.0)
            before.append(x)
            scores.append(_TAKEN_OVER * first[o] + prior * x)
        scores[-1] += self.bias[0]
        for i, vote, bin_, x in ballot.votes:
            voter, label = voters[i], ids[vote]
            weight, trust, x = voter.confusion[0], voter.trust.get(label, _NOTHING), x / _REACH
            cells = voter.rows.get(label * BINS + bin_, _NOTHING)
            for o, outcome in enumerate(ids):
                cell = cells.get(outcome)
                if cell is None:
                    z = weight * LN2 * log2(_expected(voter, others, outcome == label))
                else:
                    z = weight * cell[3] + cell[0]
                if outcome in trust:
                    z += x * trust[outcome][0]
                scores[o] += z
        return scores, Meanings(before)

    def learn(
        self, ballot: Ballot, voters: Sequence[Voter], found: Meanings, truth: Sequence[float], claim: Sequence[float]
    ) -> None:
        """One label, in place: the chance of each outcome, now that it is known, and before."""
        ids, others, telling = ballot.ids, self._others(ballot), []
        residuals = list(map(sub, truth, claim))
        if max(residuals) > NEGLIGIBLE:
            step(self.bias, residuals[-1], _RATE)
            step(self.prior, sum(map(mul, residuals, found.before)), _RATE)
            telling = [o for o, residual in enumerate(residuals) if residual > NEGLIGIBLE or residual < -NEGLIGIBLE]
        possible = [(ids[o], chance) for o, chance in enumerate(truth) if chance]
        for i, vote, bin_, x in ballot.votes:
            voter, label = voters[i], ids[vote]
            cells = _row(voter.rows, label * BINS + bin_)
            if telling:
                logs = [_log(cells, outcome, voter, others, label) for outcome in ids]
                step(voter.confusion, sum(map(mul, residuals, logs)), _RATE)
                for o in telling:
                    step(_cell(cells, ids[o], logs[o]), residuals[o], _RATE)
                if x:
                    trust = _row(voter.trust, label)
                    for o in telling:
                        step(_cell(trust, ids[o], 0.0), residuals[o] * x / _REACH, _RATE)
            for outcome, chance in possible:
                cell = _cell(cells, outcome, 0.0)
                cell[2] += chance
                cell[3] = LN2 * log2(cell[2] + _expected(voter, others, outcome == label))
        for outcome, chance in possible:
            self.counts[outcome] = self.counts.get(outcome, 0.0) + chance

    def _others(self, ballot: Ballot) -> int:
        """How many outcomes there are beside a voter's own label."""
        known, here = len(self.counts), len(ballot.ids)
        return known if known > here else here


def _expected(voter: Voter, others: int, own: bool) -> float:
    """How often an answer of this voter would have been right by its accuracy alone, were it given SHRINKAGE times:
    by its own label, or by each other outcome.
    """
    accuracy = voter.accuracy
    if own:
        return SHRINKAGE * accuracy.right / accuracy.seen
    return SHRINKAGE * (accuracy.seen - accuracy.right) / (accuracy.seen * others)


def _log(cells: Cells, outcome: int, voter: Voter, others: int, label: int) -> float:
    cell = cells.get(outcome)
    return LN2 * log2(_expected(voter, others, outcome == label)) if cell is None else cell[3]


def _row(rows: dict[int, Cells], key: int) -> Cells:
    """The row of this key; where no more can be remembered, one that will be lost."""
    row = rows.get(key)
    if row is None:
        row = {}
        if len(rows) < _ROWS:
            rows[key] = row
    return row


def _cell(row: Cells, outcome: int, log: float) -> Cell:
    """The cell of this outcome; where no more can be remembered, one that will be lost."""
    cell = row.get(outcome)
    if cell is None:
        cell = [0.0, _CURVATURE, 0.0, log]
        if len(row) < _CELLS:
            row[outcome] = cell
    return cell
