"""What types cannot say of a configuration: names that routes can carry, artifacts that stay where they belong."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from pathlib import PurePath

from serving.settings import ConfigError

RESERVED_NAMES = frozenset(
    {
        "admin",
        "api",
        "dashboard",
        "docs",
        "favicon.ico",
        "health",
        "metrics",
        "openapi.json",
        "redoc",
        "static",
        "v1",
        "v2",
    }
)
"""First parts of paths that are, or may become, routes of the server itself."""


def check_name(name: str, where: str) -> None:
    """Names of models and versions, which stand in paths and as `name:version`: letters, digits, `-`, `_`, `.`."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name):
        raise ConfigError(f"{where}: expected letters, digits, '-', '_' or '.', not '.' first, found {name!r}")


def check_application_name(name: str, where: str) -> None:
    """Names of applications, which are the first part of a path: letters, digits, `-`, `_`, and no route of ours."""
    if name in RESERVED_NAMES:
        raise ConfigError(f"{where}: the name {name!r} is taken by a route; also taken: {', '.join(_others(name))}")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise ConfigError(f"{where}: expected a name of letters, digits, '-' or '_', found {name!r}")


def check_distinct(values: Sequence[Hashable] | None, where: str) -> None:
    """None twice: where values compare equal (1, 1.0 and true do), one could not be told from the other."""
    for place, value in enumerate(values or ()):
        if value in (values or ())[:place]:
            raise ConfigError(f"{where}: expected different values, found {value!r} twice")


def check_artifact(runtime: str, artifact: str | None, where: str) -> None:
    """`package.module:Class` for python; for every other runtime a path that stays under the model root."""
    if artifact is None:
        raise ConfigError(f"{where}: missing; expected {_artifact(runtime)}")
    if runtime == "python":
        valid = re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", artifact) is not None
    else:
        path = PurePath(artifact)
        valid = artifact != "" and not path.is_absolute() and ".." not in path.parts
    if not valid:
        raise ConfigError(f"{where}: expected {_artifact(runtime)}, found {artifact!r}")


def _artifact(runtime: str) -> str:
    return "a class as 'package.module:Class'" if runtime == "python" else "a path under model_root"


def _others(name: str) -> list[str]:
    return sorted(RESERVED_NAMES - {name})
