"""A policy or a loss as the configuration names it: `"exp3"`, or `{ name = "exp3", learning_rate = 0.1 }`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from msgspec import Struct

from selector.losses import AnyLoss, Loss
from selector.policies import AnyPolicy
from selector.policy import Policy, Task
from serving.settings import ConfigError, check_choice, check_keys, convert, keys, read

S = TypeVar("S", bound=Struct)

LOSSES: dict[Task, tuple[str, ...]] = {
    "classification": ("zero_one", "log", "top_k"),
    "regression": ("absolute", "squared"),
}
"""The losses that suit a task; the first is its default."""


def read_policy(
    value: object, task: Task, models: Mapping[str, str], costs: Mapping[str, float], where: str
) -> Policy[Any]:
    """The policy that `value` names, for `task`: that is the application's, no other may be set. Raises ConfigError.

    `models` are the application's: the key of each by its name in the file. A setting `model` takes either of one.
    `costs` of the models, by key, are those of a policy that heeds them, where its own setting does not say otherwise;
    one with a `price` does so if that is not 0.
    """
    kind, settings = _chosen("policy", value, policy_kinds(), where)
    where = f"{where} ({kind.__struct_config__.tag})"
    if settings.pop("task", task) != task:  # as settings that are told name it, the application's is no mistake
        raise ConfigError(f"{where}: 'task' is no setting of a policy, but the application's: {task!r} here")
    check_keys(settings, [key for key in keys(kind) if key != "task"], where)
    if "model" in settings:
        check_choice("model", str(settings["model"]), [*models, *models.values()], f"{where} model")
    if "costs" in keys(kind):
        own = _own_costs(settings.get("costs", {}), models, f"{where} costs")
        settings["costs"] = {**costs, **own} if "price" not in keys(kind) or settings.get("price") else own
    return read(kind, settings, where, task=task)


def _own_costs(value: object, models: Mapping[str, str], where: str) -> dict[str, Any]:
    own = convert(value, dict[str, Any], where)
    for name in own:
        check_choice("model", name, [*models, *models.values()], where)
    return {models.get(name, name): cost for name, cost in own.items()}


def read_loss(value: object, task: Task, where: str) -> Loss:
    """The loss that `value` names; it must suit `task`. Raises ConfigError."""
    kinds: dict[str, type[Loss]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyLoss)}
    kind, settings = _chosen("loss", value, kinds, where)
    name = str(kind.__struct_config__.tag)
    if name not in LOSSES[task]:
        valid = " or ".join(map(repr, LOSSES[task]))
        raise ConfigError(f"{where}: {name!r} is no loss for {task}; expected {valid}")
    return read(kind, settings, f"{where} ({name})")


def policy_kinds() -> dict[str, type[Policy[Any]]]:
    """Every policy there is, by its name in the configuration."""
    return {str(kind.__struct_config__.tag): kind for kind in get_args(AnyPolicy)}


def _chosen(what: str, value: object, kinds: Mapping[str, type[S]], where: str) -> tuple[type[S], dict[str, Any]]:
    settings = {"name": value} if isinstance(value, str) else value
    if not isinstance(settings, Mapping) or not isinstance(settings.get("name"), str):
        raise ConfigError(f"{where}: expected the name of a {what} or a table with a key 'name', found {value!r}")
    check_choice(what, settings["name"], kinds, where)
    return kinds[settings["name"]], {key: setting for key, setting in settings.items() if key != "name"}
