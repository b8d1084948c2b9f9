"""Who dissents: what a model says against what most of its siblings say of the same input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import median

from selector.decisions import Label, Prediction
from selector.errors import InvalidLabel
from selector.losses import number

_USUAL = 0.1  # of a model's distances from its siblings' median this share is usually called dissent
_STEP = 0.03
_LEAP = 10.0  # so many times as far as a limit is taken to show that the limit is not learned yet

Row = Mapping[str, Prediction]


class Votes:
    """Of each model in a block of queries: how often its siblings had one mind, and how often it was not of it.

    In classification that is a label that more than half of the siblings gave, which `minds` has for each query of
    a dissenter. In regression it is their median, and dissent is to be further from it than nine times in ten.
    """

    __slots__ = ("asked", "dissents", "minds")

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.dissents: Counter[str] = Counter()
        self.minds: Counter[Label] = Counter()


def count_labels(rows: Iterable[Row]) -> Votes:
    """The votes on classes."""
    votes = Votes()
    for row in rows:
        outputs = [prediction.output for prediction in row.values()]
        n = len(outputs)
        if n < 2:
            continue
        first = outputs[0]
        if outputs.count(first) == n:
            votes.asked.update(row.keys())
            votes.minds[first] += 1
        else:
            _count_split(votes, row, n)
    return votes


def _count_split(votes: Votes, row: Row, n: int) -> None:
    said: dict[Label, int] = {}
    for prediction in row.values():
        said[prediction.output] = said.get(prediction.output, 0) + 1
    counts = sorted(said.values())
    top, second = counts[-1], counts[-2]
    if 2 * top <= n - 1:
        return
    mind = max(said, key=said.__getitem__)
    votes.minds[mind] += 1
    for model, prediction in row.items():
        own = said[prediction.output]
        others = second if own == top else top
        if 2 * (own - 1) > n - 1:
            votes.asked[model] += 1
        elif 2 * others > n - 1:
            votes.asked[model] += 1
            votes.dissents[model] += 1


class Distances:
    """How far each model usually is from its siblings' median: nine times in ten no further than `limits` says."""

    def __init__(self) -> None:
        self.limits: dict[str, float] = {}

    def count(self, rows: Iterable[Row], learn: Mapping[str, bool]) -> Votes:
        """The votes on numbers; limits are learned of the models for which `learn` holds."""
        votes = Votes()
        for row in rows:
            if len(row) < 2:
                continue
            try:
                said = {model: number(prediction.output) for model, prediction in row.items()}
            except InvalidLabel:
                continue
            for model, value in said.items():
                far = self._far(model, abs(value - median(v for m, v in said.items() if m != model)), learn)
                votes.asked[model] += 1
                votes.dissents[model] += far
        return votes

    def _far(self, model: str, distance: float, learn: Mapping[str, bool]) -> bool:
        limit = self.limits.get(model, 0.0) or distance
        far = distance > limit
        if learn.get(model, True):
            limit = max(limit * (1.0 + _STEP * (far - _USUAL)), distance / _LEAP)
        self.limits[model] = limit
        return far
