"""A world in which every action's reward is known, and logs of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selector.replay import LoggedDecisions, simulate

Floats = NDArray[np.float64]


class World(NamedTuple):
    """n contexts in [0, 1), the chances of a reward of each of three actions, and what each would have brought."""

    x: Floats
    means: Floats
    rewards: Floats


def a_world(n: int, seed: int) -> World:
    """Action 0 is good for small x, action 1 for large; action 2 is never good."""
    rng = np.random.default_rng(seed)
    x = rng.random(n)
    means = np.column_stack([0.8 - 0.5 * x, 0.3 + 0.5 * x, np.full(n, 0.2)])
    return World(x, means, (rng.random((n, 3)) < means).astype(float))


def logging(x: Floats) -> Floats:
    """Prefers action 0, the more the smaller x."""
    first = 0.4 + 0.4 * (1 - x)
    return np.column_stack([first, 0.6 * (1 - first), 0.4 * (1 - first)])


def a_log(world: World, seed: int, uniform: bool = False) -> LoggedDecisions:
    """One action a row, and its reward."""
    chances = np.full(world.rewards.shape, 1 / 3) if uniform else logging(world.x)
    return simulate(world.rewards, chances, seed, {"x": world.x})


def switching(x: Floats) -> Floats:
    """The best policy there is: 0 where x is below a half, else 1."""
    chosen = (x >= 0.5).astype(int)
    chances: Floats = np.eye(3)[chosen]
    return chances


def value(world: World, chances: Floats) -> float:
    """What a policy earns, in expectation over rewards."""
    return float((chances * world.means).sum(axis=1).mean())
