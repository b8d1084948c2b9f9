"""Who dissents: what a model says against what most of its siblings say of the same input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain

from selector.decisions import Label, Prediction
from selector.errors import InvalidLabel
from selector.losses import number

_USUAL = 0.1  # of a model's distances from most of its siblings this share is usually called dissent
_STEP = 0.03
_LEAP = 10.0  # so many times as far as a limit is taken to show that the limit is not learned yet

Row = Mapping[str, Prediction]


class Votes:
    """Of each model in a block of queries: how often its siblings had one mind, and how often it was not of it.

    In classification that is a label that more than half of the siblings gave, which `minds` has for each query of
    a dissenter. In regression dissent is to be further from most of them than nine times in ten.
    """

    __slots__ = ("asked", "dissents", "minds")

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.dissents: Counter[str] = Counter()
        self.minds: Counter[Label] = Counter()


def count_labels(rows: Iterable[Row]) -> Votes:
    """The votes on classes."""
    votes = Votes()
    everyone: list[Row] = []  # rows in which each model's siblings were of one mind
    minds: list[Label] = []
    dissenters: list[str] = []
    for row in rows:
        outputs = [prediction.output for prediction in row.values()]
        n = len(outputs)
        if n < 2:
            continue
        mind = outputs[0]
        top = outputs.count(mind)
        if top < n:
            mind = max(dict.fromkeys(outputs), key=outputs.count)  # among equals the first: a set has no first
            top = outputs.count(mind)
            if 2 * (top - 1) <= n - 1:
                _count_split(votes, row, outputs, mind)
                continue
            dissenters += [model for model, output in zip(row, outputs, strict=True) if output != mind]
        everyone.append(row)
        minds.append(mind)
    votes.asked.update(chain.from_iterable(everyone))
    votes.minds.update(minds)
    votes.dissents.update(dissenters)
    return votes


def _count_split(votes: Votes, row: Row, outputs: list[Label], mind: Label) -> None:
    """Without the vote of one of those who said `mind` there is no majority for it, or for another label there is."""
    n = len(outputs)
    if 2 * outputs.count(mind) <= n - 1:
        return
    votes.minds[mind] += 1
    for model, output in zip(row, outputs, strict=True):
        others = [other for other in outputs if other != output]
        if others and 2 * max(map(others.count, set(others))) > n - 1:
            votes.asked[model] += 1
            votes.dissents[model] += 1


class Distances:
    """How far each model usually is from most of its siblings: nine times in ten no further than `limits` says."""

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
                apart = sorted(abs(value - other) for name, other in said.items() if name != model)
                far = self._far(model, apart[(len(apart) - 1) // 2], learn)
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
