"""An owner's own functions: who a query is from, what is known of it, how a user's state meets everyone's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pkgutil import resolve_name
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct, ValidationError, convert, msgpack

from selector.errors import InvalidSetting
from serving.fields import Feature, User
from serving.values import Input
from serving.workers.frames import NUMBERS

logger = logging.getLogger(__name__)

Features = Annotated[dict[str, Feature], Meta(max_length=1024)]


class Asked(Struct, frozen=True):
    """A query as hooks see it.

    `input` is an array `[*shape]` that cannot be written to for numeric datatypes, bytes for BYTES, the value for JSON.
    `user` and `context` are what the application sent.
    """

    input: Any
    user: str | None
    context: dict[str, Feature]


class Hooks:
    """The functions of one application, those that it has.

    `user(asked)` returns the user, or None; `features(asked)` a mapping from names to numbers and text, which joins the
    context; `blend(population, own)` a state of the policy. They run in the front end, on the way of every query: so
    they must be quick. One that raises, or returns something else, is as if it were not there for that query:
    `failures` counts these, the log says why.
    """

    def __init__(self, user: str | None = None, features: str | None = None, blend: str | None = None) -> None:
        """Import the functions, each "package.module:function". Raises InvalidSetting if one cannot be."""
        self.failures = 0
        self.blend = _imported("blend", blend)
        self._user = _imported("user", user)
        self._features = _imported("features", features)

    def read(
        self, asked: Input, user: str | None, context: dict[str, Feature]
    ) -> tuple[str | None, dict[str, Feature]]:
        """The user and the features of a query."""
        if self._user is None and self._features is None:
            return user, context
        seen = Asked(_value(asked), user, context)
        if self._user is not None:
            user = self._called(self._user, seen, User | None, user)
        if self._features is not None:
            context = {**context, **self._called(self._features, seen, Features, {})}
        return user, context

    def met(self, population: Any, own: Any, usual: Callable[[], Any]) -> Any:
        """The state that answers a user: by the hook, or else the `usual` one."""
        if self.blend is None:
            return usual()
        try:
            met = self.blend(population, own)
            if not isinstance(met, type(population)):
                raise TypeError(f"expected a {type(population).__name__}, not {type(met).__name__}")
            return met
        except Exception as error:
            self._fail("blend", error)
            return usual()

    def _called(self, hook: Callable[[Asked], Any], seen: Asked, kind: Any, otherwise: Any) -> Any:
        try:
            found = convert(hook(seen), kind)
            msgpack.encode(found)  # text that cannot be written must not reach the log
            return found
        except Exception as error:
            self._fail(getattr(hook, "__qualname__", repr(hook)), error)
            return otherwise

    def _fail(self, hook: str, error: Exception) -> None:
        """Logged ever more rarely: a hook that always fails must not fill the disk."""
        self.failures += 1
        if self.failures & (self.failures - 1) == 0:
            told = error if isinstance(error, ValidationError) else None
            logger.error(
                "hook %s failed (%d times so far): %s", hook, self.failures, error, exc_info=None if told else error
            )


def _imported(setting: str, name: str | None) -> Callable[..., Any] | None:
    if name is None:
        return None
    try:
        hook = resolve_name(name)
    except Exception as error:
        raise InvalidSetting(f"{setting}: {name!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(hook):
        raise InvalidSetting(f"{setting}: {name!r} is no function")
    return hook  # type: ignore[no-any-return]


def _value(asked: Input) -> Any:
    if asked.datatype == "BYTES":
        return asked.data
    if asked.datatype == "JSON":
        return msgpack.decode(asked.data)
    return np.frombuffer(asked.data, NUMBERS[asked.datatype]).reshape(asked.shape)
