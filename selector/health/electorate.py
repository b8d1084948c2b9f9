"""Whose votes are counted, and how: those of models that know something of what the others say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from selector.decisions import Label, Prediction
from selector.health.signs import Signs
from selector.health.votes import Distances, Row, Votes, count_labels

_TRIED = 300  # queries after which a model that knows nothing of what its siblings say has no vote
_CALM = 0.1  # with more dissent than usual by this, no distance is taken for a usual one


class Electorate:
    """The votes among the models of `signs`; `numbers` tells regression.

    `mute` are those without a vote: a model that always says the same would have one for nothing. They are
    found once, while at least three others are left.
    """

    def __init__(self, signs: Mapping[str, Signs], numbers: bool) -> None:
        self.mute: frozenset[str] = frozenset()
        self._signs = signs
        self._numbers = numbers
        self._distances = Distances()
        self._minds: Counter[Label] = Counter()

    def count(self, rows: Sequence[Row]) -> Votes:
        """The votes in a block of queries."""
        if self._numbers:
            return self._distances.count(rows, {model: _calm(signs) for model, signs in self._signs.items()})
        if self.mute:
            rows = [{model: said for model, said in row.items() if model not in self.mute} for row in rows]
        votes = count_labels(rows)
        tried = self._minds.total()
        if tried <= _TRIED:
            self._minds.update(votes.minds)
            if self._minds.total() > _TRIED and self._silence():
                return self.count(rows)
        return votes

    def of_one(self, model: str, said: Prediction, siblings: Row) -> tuple[int, int]:
        """Whether the siblings are of one mind on a query, and `model` is not, 0 or 1; nothing is learned from it."""
        row = [{name: other for name, other in siblings.items() if name not in self.mute} | {model: said}]
        votes = self._distances.count(row, dict.fromkeys(row[0], False)) if self._numbers else count_labels(row)
        return votes.asked[model], votes.dissents[model]

    def _silence(self) -> bool:
        mute = frozenset(model for model, signs in self._signs.items() if not signs.knows(self._minds))
        if not mute or len(self._signs) - len(mute) < 3:
            return False
        self.mute = mute
        for signs in self._signs.values():
            signs.forget_votes()
        return True


def _calm(signs: Signs) -> bool:
    return signs.dissent.excess < _CALM and not signs.dissent.changed
