"""The second opinion: what each label of each model has turned out to mean."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from operator import mul

from msgspec import Struct

from selector.logarithm import LN2
from selector.pool.ballot import BINS, NONE, Ballot
from selector.pool.gradient import NEGLIGIBLE, Weight, differences, step
from selector.pool.voter import SHRINKAGE, Cell, Cells, Voter

LABELS = 1024
"""Label ids, at most; 0 stands for all others."""

_RATE = 0.07
_TAKEN_OVER = 0.5  # of the first opinion's scores: the same answers are then looked at once more
_CURVATURE = 0.5  # a new weight's sum of squared gradients
_REACH = 3.0  # stretched scores, within [-5, 5], are divided by it, so that they teach about as fast as the rest
_ROWS, _CELLS = 2048, 24  # answers of one model, and outcomes of one answer, remembered at most
_NOTHING: Cells = {}  # what is known of an answer that was never given
_UNSEEN = (0.0, 0.0)  # the count of an outcome that was never right
_UNTRIED: Weight = [0.0]  # the weight of a score that has taught nothing


class Confusions(Struct, array_like=True):
    """How often each outcome was right, by id, and the log of one more.

    The score of an outcome is half of the first opinion's and, for each voter, log P(outcome | its label and its
    score's bin) by counts (naive Bayes, with a learned weight), a weight of its own, and the score itself, weighted by
    label and outcome. Logarithms are of counts, which is all the same to the softmax.
    """

    prior: Weight
    bias: Weight
    counts: dict[int, tuple[float, float]] = {}

    def scores(
        self, first: Sequence[float], ballot: Ballot, voters: Sequence[Voter]
    ) -> tuple[list[float], list[float]]:
        """Scores of the outcomes, in log odds, given those of the first opinion; log P(outcome) before any answer."""
        ids, counts = ballot.ids, self.counts
        others, said = max(len(counts), len(ids)), []
        for i, vote, bin_, x in ballot.votes:
            voter, label = voters[i], ids[vote]
            row, trust = voter.rows.get(label * BINS + bin_, _NOTHING), voter.trust.get(label, _NOTHING)
            said.append((voter, vote, voter.confusion[0], row, x / _REACH, trust))
        scores, before, prior = [], [], self.prior[0]
        for o, outcome in enumerate(ids):
            usual = counts.get(outcome, _UNSEEN)[1]
            before.append(usual)
            score = _TAKEN_OVER * first[o] + prior * usual
            if outcome == NONE:
                score += self.bias[0]
            for voter, vote, weight, row, x, trust in said:
                cell = row.get(outcome) or _new(voter, o == vote, others)
                score += weight * cell[3] + cell[0] + x * trust.get(outcome, _UNTRIED)[0]
            scores.append(score)
        return scores, before

    def learn(
        self,
        ballot: Ballot,
        voters: Sequence[Voter],
        before: Sequence[float],
        truth: Sequence[float],
        claim: Sequence[float],
        possible: Sequence[int],
    ) -> None:
        """One label, in place: the chance of each outcome, now that it is known, and before; which are possible now."""
        ids, others = ballot.ids, max(len(self.counts), len(ballot.ids))
        residuals = differences(truth, claim)
        telling = max(residuals) > NEGLIGIBLE
        if telling:
            step(self.bias, residuals[-1], _RATE)
            step(self.prior, sum(map(mul, residuals, before)), _RATE)
        for i, vote, bin_, x in ballot.votes:
            voter, label = voters[i], ids[vote]
            key = label * BINS + bin_
            row = voter.rows.get(key) or _row(voter.rows, key)
            if NONE not in row:
                row[NONE] = _new(voter, False, others)
            if telling:
                gradient, trust, x = 0.0, _row(voter.trust, label), x / _REACH
                for o, residual in enumerate(residuals):
                    outcome = ids[o]
                    cell = row.get(outcome) or _cell(row, outcome, voter, label, others)
                    gradient += residual * cell[3]
                    if residual > NEGLIGIBLE or residual < -NEGLIGIBLE:
                        step(cell, residual, _RATE)
                        if x:
                            step(trust.get(outcome) or _weight(trust, outcome), residual * x, _RATE)
                step(voter.confusion, gradient, _RATE)
            for o in possible:
                outcome = ids[o]
                cell = row.get(outcome) or _cell(row, outcome, voter, label, others)
                cell[2] += truth[o]
                cell[3] = LN2 * log2(cell[2])
        for o in possible:
            count = self.counts.get(ids[o], _UNSEEN)[0] + truth[o]
            self.counts[ids[o]] = (count, LN2 * log2(count + 1.0))


def _new(voter: Voter, own: bool, others: int) -> Cell:
    """The cell of an outcome that was never right: SHRINKAGE labels, shared out by the voter's accuracy."""
    right, seen = voter.accuracy.labels
    count = SHRINKAGE * (right if own else (seen - right) / others) / seen
    return [0.0, _CURVATURE, count, LN2 * log2(count)]


def _row(rows: dict[int, Cells], key: int) -> Cells:
    """The row of this key; where no more can be remembered, one that will be lost."""
    row = rows.get(key)
    if row is None:
        row = {}
        if len(rows) < _ROWS:
            rows[key] = row
    return row


def _cell(row: Cells, outcome: int, voter: Voter, label: int, others: int) -> Cell:
    """The cell of this outcome; where no more can be remembered, one that will be lost."""
    cell = row.get(outcome)
    if cell is None:
        cell = _new(voter, outcome == label, others)
        if len(row) < _CELLS:
            row[outcome] = cell
    return cell


def _weight(trust: dict[int, Weight], outcome: int) -> Weight:
    """A new weight of this outcome; where no more can be remembered, one that will be lost."""
    weight = [0.0, _CURVATURE]
    if len(trust) < _CELLS:
        trust[outcome] = weight
    return weight
