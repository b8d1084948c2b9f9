"""What a column can be, and the ways to write that: `label`, `user`, `context`, MODEL, `MODEL.score`, `MODEL.cost`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from selector.replay import InvalidLog
from serving.replaying.mapping import pairs
from serving.settings import unknown

KINDS = ("", ".score", ".cost")
"""What may be known of a model's answer: itself, how sure it was, what it took."""

_OTHERS = ("label", "user", "context")


class Roles(Struct, frozen=True):
    """The roles of one application's files by their `spellings`; a model's is its key and kind.

    A model is written by its name or by its key, which goes before where a name is that of another role.
    """

    models: dict[str, str]
    spellings: dict[str, str]

    @property
    def names(self) -> list[str]:
        """Of the models, as columns may be named."""
        return [name if self.spellings[name] == key else key for name, key in self.models.items()]

    def given(self, text: str | None, columns: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
        """The columns by role, and the contexts, that `text` (of --map) tells. Raises InvalidLog."""
        given: dict[str, str] = {}
        contexts: list[str] = []
        for name, stripped in pairs(text):
            role = self.spellings.get(name)
            if role is None:
                known = [*_OTHERS, *[f"{name}{kind}" for name in self.names for kind in KINDS]]
                raise InvalidLog(f"--map: {unknown('role', name, known)}")
            column = next((c for c in columns if c.strip() == stripped), None)
            if column is None:
                raise InvalidLog(f"--map {name}: {unknown('column', stripped, columns)}")
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


def roles_of(models: Mapping[str, str]) -> Roles:
    """Of an application with these models, the key of each by its name. Raises InvalidLog if two are written alike.

    >>> roles_of({"svm": "svm:1"}).spellings["svm.score"]
    'svm:1.score'
    """
    spellings: dict[str, str] = {}
    for name, key in models.items():
        for spelling in (name, key):
            for kind in KINDS:
                role = f"{key}{kind}"
                if spellings.setdefault(f"{spelling}{kind}", role) != role:
                    raise InvalidLog(
                        f"a column {spelling + kind!r} could be {spellings[spelling + kind]!r} or {role!r}"
                    )
    return Roles(dict(models), spellings | {role: role for role in _OTHERS})
