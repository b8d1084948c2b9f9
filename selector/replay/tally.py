"""The second reading of a log: for each candidate, sums by group of decisions, from which all estimates follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest

import numpy as np
from msgspec import Struct

from selector.replay.anytime import ConfidenceSequence
from selector.replay.balance import Balance
from selector.replay.estimators import Limits, columns
from selector.replay.groups import GROUPS, Groups
from selector.replay.learning import Chosen, Rejection
from selector.replay.logged import Floats, Integers
from selector.replay.reward_model import FOLDS
from selector.replay.source import Part, Source
from selector.replay.survey import Survey, weights_of

BINS = np.array([0.0, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, np.inf])
"""Edges of the histogram of weights."""


class Tally:
    """Of one candidate: `sums` by name, one value a group; running means; how its weights are distributed."""

    def __init__(self, limits: Limits, rewards: tuple[float, float]) -> None:
        self.always = ConfidenceSequence(limits.decisions, limits.largest)
        self.histogram = np.zeros(len(BINS) - 1)
        self.largest_weight = 0.0
        self.sums: dict[str, Floats] = {}
        self.balance = Balance(limits.decisions, GROUPS)
        self._limits, self._rewards = limits, rewards

    def add(
        self, part: Part, groups: Integers, chosen: Chosen, predicted: Floats | None, own: Floats | None = None
    ) -> None:
        """Take in the next decisions, with the rewards [n, k] that the models expect: the common one, and its own."""
        weights = weights_of(part, chosen.chances)
        expectations = None if predicted is None else _expected(part, chosen, predicted)
        table = columns(weights, part.rewards, expectations, self._limits, chosen.accepted)
        if expectations is not None:
            self.balance.add(groups, weights, expectations[0] + table["weighted_residual"])
        if own is not None:
            table["own_predicted"], expected = _expected(part, chosen, own)
            table["own_residual"] = weights * (part.rewards - expected)
        for name, column in table.items():
            summed: Floats = np.bincount(groups, column, GROUPS).astype(np.float64)
            self.sums[name] = self.sums[name] + summed if name in self.sums else summed
        self.always.add(weights, self._scaled(part.rewards))
        self.histogram += np.histogram(weights, BINS)[0]
        self.largest_weight = max(self.largest_weight, float(weights.max()))

    def grouped(self) -> dict[str, Floats]:
        """The sums of the groups that have decisions."""
        filled = self.sums["decisions"] > 0
        return {name: column[filled] for name, column in (self.sums | self.balance.columns()).items()}

    def total(self, name: str) -> float:
        """One sum over the whole log."""
        return float(self.sums[name].sum())

    def _scaled(self, rewards: Floats) -> Floats:
        low, high = self._rewards
        return rewards if (low, high) == (0.0, 1.0) else (rewards - low) / (high - low)


class Reliability(Struct):
    """Of the reward model: how many decisions, predicted and true rewards, by what it predicted, in ten bins.

    Their `edges` are deciles of the first part: rewards may be rare, or of any range.
    """

    count: Floats
    predicted: Floats
    rewards: Floats
    edges: Floats | None = None

    def add(self, predicted: Floats, rewards: Floats) -> None:
        """Take in predictions [n] of what was chosen."""
        if self.edges is None:
            self.edges = np.quantile(predicted, np.arange(1, 10) / 10)
        bins = np.searchsorted(self.edges, predicted)
        self.count += np.bincount(bins, minlength=10)
        self.predicted += np.bincount(bins, predicted, 10)
        self.rewards += np.bincount(bins, rewards, 10)


def bounds_of(survey: Survey) -> tuple[float, float]:
    """The range of rewards: [0, 1], or what was seen where that is wider."""
    return min(0.0, survey.rewards[0]), max(1.0, survey.rewards[1])


class Readings(Struct, frozen=True):
    """What the second reading found, by candidate; `reliability` only where a reward model was used."""

    tallies: dict[str, Tally]
    reliability: Reliability | None


def tally(source: Source, survey: Survey, learners: Mapping[str, Rejection], seed: int) -> Readings:
    """Read the log once for all candidates: those of the source, then those that learn."""
    n, most = survey.decisions, 1.0 / survey.probabilities[0]
    weights = zip(source.candidates, survey.second_moments, survey.largest_weights, strict=True)
    limits = {name: Limits(n, moment, largest) for name, moment, largest in weights}
    limits |= {name: Limits(n, 1.0, most) for name in learners}
    tallies = {name: Tally(limit, bounds_of(survey)) for name, limit in limits.items()}
    groups, rng = Groups(seed), np.random.default_rng([seed, 3])
    reliability = Reliability(np.zeros(10), np.zeros(10), np.zeros(10))
    for part in source.parts():
        dealt = groups.of(part)
        predicted = _predicted(part, dealt, survey)
        if predicted is not None:
            reliability.add(predicted[np.arange(len(part)), part.actions], part.rewards)
        choices = [*_fixed(part, survey, rng), *(learner.choose(part) for learner in learners.values())]
        own = [model.predict(part, dealt % FOLDS) for model in survey.own_models]
        for candidate, chosen, expected in zip_longest(tallies.values(), choices, own):
            candidate.add(part, dealt, chosen, predicted, expected)
    return Readings(tallies, reliability if reliability.count.any() else None)


def _expected(part: Part, chosen: Chosen, predicted: Floats) -> tuple[Floats, Floats]:
    """[n] rewards that a model expects of the candidate's choices, and of the logged ones."""
    of_candidate: Floats = np.einsum("nk,nk->n", chosen.chances, predicted)
    return of_candidate, predicted[np.arange(len(part)), part.actions]


def _fixed(part: Part, survey: Survey, rng: np.random.Generator) -> Iterator[Chosen]:
    """Rejection sampling keeps a row with chance w / max w, by the same draws for all candidates."""
    drawn = rng.random(len(part))
    for chances, largest in zip(part.chances, survey.largest_weights, strict=True):
        kept = drawn * largest < weights_of(part, chances)
        yield Chosen(chances, kept.astype(np.float64))


def _predicted(part: Part, groups: Integers, survey: Survey) -> Floats | None:
    if part.predicted is not None:
        return part.predicted
    return None if survey.model is None else survey.model.predict(part, groups % FOLDS)
