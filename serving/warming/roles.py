"""What a column can be, and the ways to write that: `label`, `user`, `context`, MODEL, `MODEL.score`, `MODEL.cost`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from msgspec import Struct

from selector.replay import InvalidLog
from serving.replaying.mapping import pairs
from serving.settings import unknown

KINDS = ("", ".score", ".cost")
"""What may be known of a model's answer: itself, how sure it was, what it took."""

_OTHERS = ("label", "user", "context")


class Roles(Struct, frozen=True):
    """The roles of columns, by the `spellings` that they have in one application; a model's is its key and kind.

    A model is written by its name or by its key, which goes before where a name is that of another role.
    """

    models: dict[str, str]
    spellings: dict[str, str]

    @property
    def names(self) -> list[str]:
        """Of the models, as columns may be named."""
        return [name if self.spellings.get(name) == key else key for name, key in self.models.items()]

    def given(self, text: str | None, columns: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
        """The columns by role, and the contexts, that `text` (of --map) tells. Raises InvalidLog."""
        given: dict[str, str] = {}
        contexts: list[str] = []
        for spelling, stripped in pairs(text):
            role = self.spellings.get(spelling)
            if role is None:
                named = [f"{name}{kind}" for name in self.names for kind in KINDS]
                known = [*_OTHERS, *[each for each in named if each in self.spellings]]
                raise InvalidLog(f"--map: {unknown('role', spelling, known)}")
            column = stripped if stripped in columns else next((c for c in columns if c.strip() == stripped), None)
            if column is None:
                raise InvalidLog(f"--map {spelling}: {unknown('column', stripped, columns)}")
            if role == "context":
                contexts.append(column)
            elif role in given:
                raise InvalidLog(f"--map: {role!r} is given twice")
            else:
                given[role] = column
        return given, tuple(contexts)

    def named(self, role: str, columns: Sequence[str], taken: Sequence[str]) -> str | None:
        """The column that is named like this role; of several, one that is not `taken`. Raises InvalidLog."""
        found = list(dict.fromkeys(column for column in columns if self.spellings.get(column.strip()) == role))
        if len(found) > 1:
            found = [column for column in found if column not in taken]
        if len(found) > 1:
            both = " and ".join(map(repr, found))
            raise InvalidLog(f"columns {both} are both named like {role!r}: give --map {role}=COLUMN")
        return found[0] if found else None


def roles_of(models: Mapping[str, str], columns: Sequence[str]) -> Roles:
    """Of an application with these models, the key of each by its name.

    Raises InvalidLog if one of the columns could be of two models.

    >>> roles_of({"svm": "svm:1"}, ["svm", "svm.score"]).spellings["svm.score"]
    'svm:1.score'
    """
    readings: dict[str, set[str]] = {}
    for name, key in models.items():
        for spelling, kind in product((name, key), KINDS):
            readings.setdefault(f"{spelling}{kind}", set()).add(f"{key}{kind}")
    spellings = {spelling: role for spelling, (role, *others) in readings.items() if not others}
    for column in columns:
        if len(readings.get(column.strip(), ())) > 1:
            either = " or ".join(map(repr, sorted(readings[column.strip()])))
            raise InvalidLog(f"column {column!r} could be {either}: rename it to what is meant")
    return Roles(dict(models), spellings | {role: role for role in _OTHERS})
