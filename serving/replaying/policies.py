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
    """Policies by `label`; `models` and `costs` as `read_policy` takes them. Raises ConfigError or InvalidCandidate."""
    found: dict[str, Policy[Any]] = {}
    if request.policy is not None:
        for settings in _points(request.policy, request.settings, request.grid):
            found[label(settings)] = read_policy(settings, task, models, costs, "--policy")
    elif request.settings or request.grid:
        raise InvalidCandidate(f"{'--set' if request.settings else '--grid'} goes with --policy")
    for name in request.compare:
        found[label(name)] = read_policy(name, task, models, costs, "--compare")
    return found


def _points(policy: str, settings: Sequence[str], grid: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The policy's settings with every combination of the values that `KEY=VALUE,VALUE,...` give; of none, alone."""
    axes = [[("name", policy)], *([_pair(text)] for text in settings), *map(_axis, grid)]
    names = [axis[0][0] for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise InvalidCandidate(f"--set, --grid: {name!r} is given twice")
    return map(dict, product(*axes))


def _axis(text: str) -> list[tuple[str, Any]]:
    key, equals, values = text.partition("=")
    if not equals or not values:
        raise InvalidCandidate(f"--grid: expected KEY=VALUE,VALUE,..., found {text!r}")
    return [_pair(f"{key}={value}") for value in values.split(",")]


def label(value: str | Mapping[str, Any]) -> str:
    """What a candidate is called: its policy and all settings that it was given, so that no two candidates share it.

    >>> label("exp4"), label({"name": "exp3", "learning_rate": 0.1, "share": 0})
    ('exp4', 'exp3 learning_rate=0.1 share=0')
    >>> label({"name": "cascade", "costs": {"cnn": 4}})
    'cascade costs={"cnn":4}'
    """
    if isinstance(value, str):
        return value
    return " ".join([str(value.get("name")), *(f"{key}={_told(value[key])}" for key in value if key != "name")])


def _told(setting: Any) -> str:
    return setting if isinstance(setting, str) else json.encode(setting).decode()


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
