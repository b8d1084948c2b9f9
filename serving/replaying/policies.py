"""The policies that a replay is asked for: `--policy NAME --set KEY=VALUE --compare NAME`."""

from __future__ import annotations

from collections.abc import Mapping
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
        value = {"name": request.policy, **dict(map(_pair, request.settings))}
        found[request.policy] = read_policy(value, task, models, costs, "--policy")
    for name in request.compare:
        found[name] = read_policy(name, task, models, costs, "--compare")
    return found


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
    try:
        return key, json.decode(value)
    except ValueError:
        return key, value
