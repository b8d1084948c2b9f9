"""Names of columns that are almost those of roles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from selector.replay import InvalidLog

_ALIKE = 0.8  # the least share of letters in common: one in five may be wrong


def check_spelling(columns: Sequence[str], read: Sequence[str], roles: Iterable[str]) -> None:
    """Raise InvalidLog where one of the `columns` that is not `read` is almost named like one of the free `roles`."""
    unread = [column for column in columns if column not in read and not _of_another(column, columns)]
    for role in roles:
        for column in unread:
            if like(column, role):
                raise InvalidLog(
                    f"column {column!r} would not be read; did you mean {role!r}? Rename it or leave it out, "
                    f"or give --map {role}={column}"
                )


def like(column: str, role: str) -> bool:
    """Whether a name is a role misspelt: but for case, separators, or a few letters of each part; never for digits.

    >>> [like(column, "cheap.score") for column in ("cheap.scor", "Cheap_Score", "chaep.score", "cheap.latency")]
    [True, True, True, False]
    >>> like("resnet18", "resnet50")
    False
    """
    ours, theirs = _parts(column), _parts(role)
    parts = len(ours) == len(theirs) and all(map(_alike, ours, theirs))
    return parts or "".join(ours) == "".join(theirs)


def _parts(name: str) -> list[str]:
    return re.split(r"[._\s-]+", name.casefold())


def _alike(one: str, other: str) -> bool:
    if re.findall(r"\d", one) != re.findall(r"\d", other):
        return False
    return sorted(one) == sorted(other) or SequenceMatcher(None, one, other).ratio() >= _ALIKE


def _of_another(column: str, columns: Sequence[str]) -> bool:
    """Whether it is the score or cost of a model that has a column, and so no other's."""
    model, _, kind = column.strip().rpartition(".")
    return kind in ("score", "cost") and model in map(str.strip, columns)
