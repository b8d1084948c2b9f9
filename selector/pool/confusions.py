"""The second opinion: what each label of each model has turned out to mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log, sqrt
from typing import TypeVar

from msgspec import Struct

from selector.pool.ballot import BINS, Ballot
from selector.pool.gradient import NEGLIGIBLE, Weight, step
from selector.pool.opinions import Meanings
from selector.pool.voter import SHRINKAGE, Cell, Row, Voter

R = TypeVar("R")

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
        ids = ballot.ids
        before = self._before(ids)
        scores = [_TAKEN_OVER * z + self.prior[0] * x for z, x in zip(first, before, strict=True)]
        scores[-1] += self.bias[0]
        others = max(len(self.counts), len(ids) - 1) + 1.0
        by_voter = []
        for i, vote, bin_, x in zip(ballot.voters, ballot.votes, ballot.bins, ballot.stretched, strict=True):
            voter, label = voters[i], ids[vote]
            own = SHRINKAGE * voter.accuracy.right / voter.accuracy.seen
            by_score = voter.trust.get(label, _NOTHING) if x else _NOTHING
            row = voter.rows.get(label * BINS + bin_, _NEVER)
            logs = _likelihoods(row, ids, vote, own, (SHRINKAGE - own) / others)
            _add(scores, ids, row.cells, logs, voter.confusion[0], by_score, x / _REACH)
            by_voter.append(logs)
        return scores, Meanings(by_voter, before)

    def learn(
        self, ballot: Ballot, voters: Sequence[Voter], found: Meanings, truth: Sequence[float], claim: Sequence[float]
    ) -> None:
        """One label, in place: the chance of each outcome, now that it is known, and before."""
        residuals = [t - p for t, p in zip(truth, claim, strict=True)]
        if max(residuals) > NEGLIGIBLE:
            self._step(ballot, voters, found, residuals)
        possible = [(label, chance) for label, chance in zip(ballot.ids[:-1], truth, strict=False) if chance]
        for i, vote, bin_ in zip(ballot.voters, ballot.votes, ballot.bins, strict=True):
            row = _row(voters[i].rows, ballot.ids[vote] * BINS + bin_, Row)
            row.total += 1.0
            _count(row.cells, possible)
        self.total += 1.0
        for label, chance in possible:
            self.counts[label] = self.counts.get(label, 0.0) + chance

    def _step(self, ballot: Ballot, voters: Sequence[Voter], found: Meanings, residuals: Sequence[float]) -> None:
        ids, scaled = ballot.ids, [residual / _REACH for residual in residuals]
        step(self.bias, residuals[-1], _RATE)
        step(self.prior, _product(residuals, found.before), _RATE)
        for i, vote, bin_, x, logs in zip(
            ballot.voters, ballot.votes, ballot.bins, ballot.stretched, found.by_voter, strict=True
        ):
            voter, label = voters[i], ids[vote]
            step(voter.confusion, _product(residuals, logs), _RATE)
            _learn_weights(_row(voter.rows, label * BINS + bin_, Row).cells, ids, residuals, 1.0)
            if x:
                _learn_weights(_row(voter.trust, label, _no_weights), ids, scaled, x)

    def _before(self, ids: Sequence[int]) -> list[float]:
        total = self.total + len(self.counts) + 1.0
        chances = [(self.counts.get(label, 0.0) + 1.0) / total for label in ids[:-1]]
        chances.append(max(1.0 - sum(chances), _LEAST_BEFORE))
        return [log(chance) for chance in chances]


def _likelihoods(row: Row, ids: Sequence[int], vote: int, own: float, other: float) -> list[float]:
    """log P(outcome | this answer) by counts, added to what its accuracy gives its `own` label and each `other`."""
    cells, logs = row.cells, []
    total = rest = SHRINKAGE + row.total
    for o in range(len(ids) - 1):
        cell = cells.get(ids[o])
        count = own if o == vote else other
        if cell is not None:
            count += cell[2]
        rest -= count
        logs.append(log(count / total))
    rest /= total
    logs.append(log(rest if rest > _LEAST else _LEAST))
    return logs


def _add(
    scores: list[float],
    ids: Sequence[int],
    cells: dict[int, Cell],
    logs: Sequence[float],
    weight: float,
    by_score: dict[int, Cell],
    x: float,
) -> None:
    """What one answer says: its likelihoods, the weights of its row, and those of its score x, in place."""
    for o, label in enumerate(ids):
        z = weight * logs[o]
        if label in cells:
            z += cells[label][0]
        if label in by_score:
            z += by_score[label][0] * x
        scores[o] += z


def _row(rows: dict[int, R], key: int, new: Callable[[], R]) -> R:
    """The row of this key; where no more can be remembered, one that will be lost."""
    row = rows.get(key)
    if row is None:
        row = new()
        if len(rows) < _ROWS:
            rows[key] = row
    return row


def _no_weights() -> dict[int, Cell]:
    return {}


def _learn_weights(cells: dict[int, Cell], ids: Sequence[int], residuals: Sequence[float], x: float) -> None:
    """One AdaGrad step of each outcome's weight of the input x, in place."""
    for label, residual in zip(ids, residuals, strict=True):
        if residual > NEGLIGIBLE or residual < -NEGLIGIBLE:
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


def _product(residuals: Sequence[float], inputs: Sequence[float]) -> float:
    return sum([r * x for r, x in zip(residuals, inputs, strict=True)])
