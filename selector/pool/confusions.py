"""The second opinion: what each label of each model has turned out to mean."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2, sqrt
from operator import mul, sub

from msgspec import Struct

from selector.pool.ballot import BINS, NONE, Ballot
from selector.pool.gradient import LN2, NEGLIGIBLE, Weight, step
from selector.pool.opinions import Meanings
from selector.pool.voter import SHRINKAGE, Cell, Row, Voter

LABELS = 1024
"""Label ids, at most; 0 stands for all others."""

_RATE = 0.07
_TAKEN_OVER = 0.5  # of the first opinion's scores: the same answers are then looked at once more
_CURVATURE = 0.5  # a new weight's sum of squared gradients
_REACH = 3.0  # stretched scores, within [-5, 5], are divided by it, so that they teach about as fast as the rest
_ROWS, _CELLS = 2048, 24  # answers of one model, and outcomes of one answer, remembered at most
_LEAST, _LEAST_BEFORE = 1e-4, 0.02  # chances of "none"
_NEVER = Row()  # an answer that was never given
_NOTHING: dict[int, Cell] = {}
_EMPTY: Cell = [0.0, _CURVATURE, 0.0]


class Confusions(Struct, array_like=True):
    """How often each label was right, by id, of how many.

    The score of an outcome is half of the first opinion's and, for each voter, log P(outcome | its label and its
    score's bin) by counts (naive Bayes, with a learned weight), a weight of its own, and the score itself, weighted by
    label and outcome.
    """

    prior: Weight
    bias: Weight
    counts: dict[int, float] = {}
    total: float = 0.0

    def scores(self, first: Sequence[float], ballot: Ballot, voters: Sequence[Voter]) -> tuple[list[float], Meanings]:
        """Scores of the outcomes, in log odds, given those of the first opinion."""
        ids, before, prior = ballot.ids, self._before(ballot.ids), self.prior[0]
        scores = [_TAKEN_OVER * z + prior * x for z, x in zip(first, before, strict=True)]
        scores[-1] += self.bias[0]
        others = max(len(self.counts), len(ids) - 1) + 1.0
        by_voter = []
        for i, vote, bin_, x in ballot.votes:
            voter, label = voters[i], ids[vote]
            row, trust = voter.rows.get(label * BINS + bin_, _NEVER), voter.trust.get(label, _NOTHING)
            logs = _add(scores, ids, vote, row, voter.accuracy.rate, others, voter.confusion[0], trust, x / _REACH)
            by_voter.append(logs)
        return scores, Meanings(by_voter, before)

    def learn(
        self, ballot: Ballot, voters: Sequence[Voter], found: Meanings, truth: Sequence[float], claim: Sequence[float]
    ) -> None:
        """One label, in place: the chance of each outcome, now that it is known, and before."""
        ids, residuals, telling = ballot.ids, list(map(sub, truth, claim)), []
        if max(residuals) > NEGLIGIBLE:
            step(self.bias, residuals[-1], _RATE)
            step(self.prior, sum(map(mul, residuals, found.before)), _RATE)
            telling = [(o, r) for o, r in zip(ids, residuals, strict=True) if r > NEGLIGIBLE or r < -NEGLIGIBLE]
        possible = [(label, chance) for label, chance in zip(ids[:-1], truth, strict=False) if chance]
        for (i, vote, bin_, x), logs in zip(ballot.votes, found.by_voter, strict=True):
            voter, label = voters[i], ids[vote]
            row = _row(voter.rows, label * BINS + bin_)
            if telling:
                step(voter.confusion, sum(map(mul, residuals, logs)), _RATE)
                _learn_weights(row.cells, telling, 1.0)
                if x:
                    _learn_weights(voter.trust.setdefault(label, {}), telling, x / _REACH)
            row.total += 1.0
            _count(row.cells, possible)
        self.total += 1.0
        for label, chance in possible:
            self.counts[label] = self.counts.get(label, 0.0) + chance

    def _before(self, ids: Sequence[int]) -> list[float]:
        """The logarithm of each outcome's chance before any answer."""
        total = self.total + len(self.counts) + 1.0
        chances = [(self.counts.get(label, 0.0) + 1.0) / total for label in ids[:-1]]
        chances.append(max(1.0 - sum(chances), _LEAST_BEFORE))
        return [LN2 * log2(chance) for chance in chances]


def _add(
    scores: list[float],
    ids: Sequence[int],
    vote: int,
    row: Row,
    rate: float,
    others: float,
    weight: float,
    trust: dict[int, Cell],
    x: float,
) -> list[float]:
    """What one answer says, in place: its likelihoods, the weights of its row, and those of its score x.

    Returns log P(outcome | this answer) by counts, added to what its accuracy gives its own label and each other.
    """
    own, cells, logs = SHRINKAGE * rate, row.cells, []
    other = (SHRINKAGE - own) / others
    total = rest = SHRINKAGE + row.total
    for o, label in enumerate(ids):
        cell = cells.get(label, _EMPTY)
        if label != NONE:
            count = cell[2] + (own if o == vote else other)
            rest -= count
        else:
            count = max(rest, _LEAST * total)
        logs.append(LN2 * log2(count / total))
        scores[o] += weight * logs[o] + cell[0] + trust.get(label, _EMPTY)[0] * x
    return logs


def _row(rows: dict[int, Row], key: int) -> Row:
    """The row of this key; where no more can be remembered, one that will be lost."""
    row = rows.get(key)
    if row is None:
        row = Row()
        if len(rows) < _ROWS:
            rows[key] = row
    return row


def _learn_weights(cells: dict[int, Cell], telling: Sequence[tuple[int, float]], x: float) -> None:
    """One AdaGrad step of each outcome's weight of the input x, in place; `telling` are outcomes and residuals."""
    for label, residual in telling:
        cell = cells.get(label)
        if cell is None:
            if len(cells) >= _CELLS:
                continue
            cell = cells[label] = [0.0, _CURVATURE, 0.0]
        gradient = residual * x
        cell[1] += gradient * gradient
        cell[0] += _RATE * gradient / sqrt(cell[1])


def _count(cells: dict[int, Cell], possible: Sequence[tuple[int, float]]) -> None:
    for label, chance in possible:
        cell = cells.get(label)
        if cell is not None:
            cell[2] += chance
        elif len(cells) < _CELLS:
            cells[label] = [0.0, _CURVATURE, chance]
