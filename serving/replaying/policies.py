"""The policies that a replay is asked for: `--policy NAME --set KEY=VALUE --grid KEY=VALUE,VALUE --compare NAME`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import product
from typing import Any

from msgspec import json

from selector.policy import Policy, Task
from selector.replay import InvalidCandidate
from serving.choices import read_policy
from serving.replaying.request import Request


def asked_for(
    request: Request, task: Task, models: Mapping[str, str], costs: Mapping[str, float]
) -> dict[str, Policy[Any]]:
    """Policies by name; `models` and `costs` as `read_policy` takes them. Raises ConfigError or InvalidCandidate."""
    found: dict[str, Policy[Any]] = {}
    if request.policy is not None:
        settings = {"name": request.policy, **dict(map(_pair, request.settings))}
        for point in _points(request.grid):
            found[label({"name": request.policy, **point})] = read_policy(
                settings | point, task, models, costs, "--policy"
            )
    elif request.grid:
        raise InvalidCandidate("--grid goes with --policy")
    for name in request.compare:
        found[name] = read_policy(name, task, models, costs, "--compare")
    return found


def _points(grid: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every combination of the values that `KEY=VALUE,VALUE,...` give; of none, one without settings."""
    axes = []
    for text in grid:
        key, equals, values = text.partition("=")
        if not equals or not values:
            raise InvalidCandidate(f"--grid: expected KEY=VALUE,VALUE,..., found {text!r}")
        axes.append([_pair(f"{key}={value}") for value in values.split(",")])
    return map(dict, product(*axes))


def label(value: str | Mapping[str, Any]) -> str:
    """What a candidate is called: its policy, and the settings that it was given.

    >>> label("exp4"), label({"name": "exp3", "learning_rate": 0.1, "share": 0})
    ('exp4', 'exp3 learning_rate=0.1 share=0')
    """
    if isinstance(value, str):
        return value
    return " ".join([str(value.get("name")), *(f"{key}={value[key]}" for key in value if key != "name")])


def _pair(text: str) -> tuple[str, Any]:
    """`learning_rate=0.1`: a number or true or false where it is one, else text; a model is always called by text."""
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidCandidate(f"--set: expected KEY=VALUE, found {text!r}")
    if key == "model":
        return key, value
    with suppress(ValueError):
        return key, json.decode(value)
    with suppress(ValueError):
        return key, float(value)  # .1, which is no JSON
    return key, value
