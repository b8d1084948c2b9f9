"""Which column of a file is what: `action=item_id,reward=click,probability=propensity_score`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct

from selector.replay import InvalidLog
from serving.settings import unknown

_ONE = ("action", "reward", "probability", "user", "time")


class Mapping(Struct, frozen=True):
    """Column names; `contexts` are what was known when the choice was made."""

    action: str = "action"
    reward: str = "reward"
    probability: str = "probability"
    user: str | None = None
    time: str | None = None
    contexts: tuple[str, ...] = ()

    def check(self, columns: Sequence[str], more: Collection[str]) -> None:
        """Raise InvalidLog unless the log has these columns and `more`."""
        wanted = [self.action, self.reward, self.probability, self.user, self.time, *self.contexts, *more]
        for name in wanted:
            if name is not None and name not in columns:
                raise InvalidLog(unknown("column", name, columns))


def parse(text: str | None) -> Mapping:
    """The mapping that `--map` gives; `context` may be given several times. Raises InvalidLog.

    >>> parse("action=item_id,reward=click,context=age").contexts
    ('age',)
    """
    given: dict[str, str] = {}
    contexts: list[str] = []
    for role, column in pairs(text):
        if role == "context":
            contexts.append(column)
        elif role in given:
            raise InvalidLog(f"--map: {role!r} is given twice")
        elif role in _ONE:
            given[role] = column
        else:
            raise InvalidLog(f"--map: {unknown('role', role, [*_ONE, 'context'])}")
    return Mapping(**given, contexts=tuple(contexts))


def pairs(text: str | None) -> Iterator[tuple[str, str]]:
    """The roles with their columns, as they stand in `text`. Raises InvalidLog."""
    for pair in text.split(",") if text else []:
        role, equals, column = (part.strip() for part in pair.partition("="))
        if not equals or not column:
            raise InvalidLog(f"--map: expected ROLE=COLUMN, found {pair!r}")
        yield role, column
