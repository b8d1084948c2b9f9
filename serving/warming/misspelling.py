"""Names of columns that are almost those of roles."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_ALIKE = 0.8  # the least share of letters in common: one in five may be wrong


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
