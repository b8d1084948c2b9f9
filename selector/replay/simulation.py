"""Bandit feedback made from complete outcomes: to test estimators, and to size an experiment before it is run."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from selector.decisions import Answer, Decision, Prediction, Query
from selector.policies.single import Single
from selector.replay.logged import Floats, Integers, LoggedDecisions


def simulate(
    rewards: ArrayLike,
    logging: ArrayLike | Single[Any],
    seed: int,
    contexts: ArrayLike | Mapping[str, ArrayLike] | None = None,
) -> LoggedDecisions:
    """A log in which each row shows the reward of one action, drawn by `logging`.

    `rewards` [n, k] are what each action would bring: with labels and the predictions [n, k] of k models, `predictions
    == labels[:, None]`. `logging` are probabilities [n, k] (or [k], the same for all), or a policy that asks one model,
    which learns from each reward before the next row.
    """
    table = np.asarray(rewards, dtype=np.float64)
    n = len(table)
    if isinstance(logging, Single):
        actions, probabilities = _adaptive(table, logging, seed)
    else:
        chances = np.broadcast_to(np.asarray(logging, dtype=np.float64), table.shape)
        actions = draw(chances, seed)
        probabilities = chances[np.arange(n), actions]
    return LoggedDecisions(actions, table[np.arange(n), actions], probabilities, contexts)


def draw(chances: Floats, seed: int) -> Integers:
    """[n] actions by the rows of `chances` [n, k]."""
    uniform = np.random.default_rng([seed, 5]).random((len(chances), 1)) * chances.sum(axis=1, keepdims=True)
    drawn: Integers = np.minimum((uniform > chances.cumsum(axis=1)).sum(axis=1), chances.shape[1] - 1)
    return drawn


def _adaptive(rewards: Floats, policy: Single[Any], seed: int) -> tuple[Integers, Floats]:
    n, k = rewards.shape
    width = len(str(k - 1))
    names = tuple(f"{j:0{width}d}" for j in range(k))  # sorted as text as they are as numbers
    state, rng = policy.initial_state(names), Random(seed)  # noqa: S311
    actions, probabilities = np.empty(n, dtype=np.intp), np.empty(n)
    for i in range(n):
        query = Query(i, names)
        selection = policy.select(state, query, [], {}, rng)
        assert selection is not None
        name = selection.models[0]
        actions[i], probabilities[i] = int(name), selection.probability
        decision = Decision("", query, 0.0, policy.name, (selection,), {name: Prediction(name)}, Answer(name))
        state = policy.observe(state, decision, {name: 1.0 - float(rewards[i, actions[i]])})
    return actions, probabilities
