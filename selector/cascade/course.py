"""What a logged decision tells a cascade: who said what, who was right, and with which chance each was asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from selector.decisions import Decision, Prediction

_WRONG = 0.5  # losses from here on count as wrong
_LEAST = 1e-3


class Course(Struct, frozen=True):
    """By model: `right`, where known; `said`, where that and its prediction are; the `chance` to have been asked.

    `models` are those that were available: who was left out was asked for other reasons than to be compared.
    `rounds` are who had answered before the first round and after each. `drawn` is the chance of all rounds.
    `at_once` tells whether all that were available were asked in one round, for nothing that any had said.
    """

    models: list[str]
    right: dict[str, bool]
    said: dict[str, Prediction]
    chance: dict[str, float]
    rounds: list[list[str]]
    drawn: float
    at_once: bool

    def certain(self) -> dict[str, Prediction]:
        """What was said before anybody was asked by chance."""
        return {model: what for model, what in self.said.items() if self.chance.get(model) == 1.0}


def course(decision: Decision, losses: Mapping[str, float], known: Collection[str]) -> Course:
    """The course of a decision among the `known` models."""
    models = [model for model in decision.query.available if model in known]
    right = {model: losses[model] < _WRONG for model in sorted(losses) if model in models}
    said = {model: decision.predictions[model] for model in right if model in decision.predictions}
    chance: dict[str, float] = {}
    rounds, drawn = [list[str]()], 1.0
    for selection in decision.selections:
        drawn = max(_LEAST, drawn * selection.probability)
        chance.update(dict.fromkeys(selection.models, drawn))
        rounds.append(rounds[-1] + [model for model in selection.models if model in said])
    at_once = len(decision.selections) == 1 and len(decision.selections[0].models) == len(decision.query.available)
    return Course(models, right, said, chance, rounds, drawn, at_once)
