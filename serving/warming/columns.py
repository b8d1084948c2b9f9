"""Which column of a file of labelled outputs is what: `label=truth,svm=svm_says,svm.score=svm_sure,context=age`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from selector.replay import InvalidLog
from serving.replaying.mapping import pairs
from serving.settings import unknown
from serving.warming.misspelling import check_spelling

HINT = "--map says which column is what: label=COLUMN, MODEL=COLUMN"
_KINDS = ("", ".score", ".cost")


class Columns(Struct, frozen=True):
    """Names of columns. Of `outputs`, `scores` and `costs` by the key of the model; of `contexts` by themselves."""

    label: str
    outputs: dict[str, str]
    scores: dict[str, str]
    costs: dict[str, str]
    user: str | None
    contexts: tuple[str, ...]

    @property
    def roles(self) -> list[tuple[str, str]]:
        """Every role, a model's by its key, with the column that has it."""
        models = zip(_KINDS, (self.outputs, self.scores, self.costs), strict=True)
        of_models = [(f"{key}{kind}", column) for kind, known in models for key, column in known.items()]
        user = [] if self.user is None else [("user", self.user)]
        return [("label", self.label), *of_models, *user, *[("context", column) for column in self.contexts]]

    @property
    def all(self) -> tuple[str, ...]:
        """Every column that is read."""
        return tuple([column for _, column in self.roles])


def find(text: str | None, columns: Sequence[str], models: Mapping[str, str]) -> Columns:
    """What `text` (of --map) says, else those that are named like a role: `label`, `user`, a model, `MODEL.score`.

    `models` are the application's: the key of each, which stands for it as well, by its name in the configuration.
    Raises InvalidLog where a column does not exist or is there twice, or two are named like one role; where that of the
    truth or of outputs is read as something else, too; where none has labels, or any model's outputs; where `text` says
    what would not be read; or where a column that would not be read seems to be a role misspelt: what is appended
    without it stays so.

    >>> find("label=truth", ["truth", "svm", "svm.score", "user"], {"svm": "svm:1", "cnn": "cnn:2"}).all
    ('truth', 'svm', 'svm.score', 'user')
    """
    spellings = _spellings(models)
    given, contexts = _given(text, columns, spellings)

    def named(role: str) -> str | None:
        return given.get(role) or _named(role, columns, spellings)

    label = given.get("label", "label")
    if label not in columns:
        raise InvalidLog(f"{unknown('column', 'label', columns)}. {HINT}")
    outputs = {key: column for key in models.values() if (column := named(key))}
    if not outputs:
        raise InvalidLog(
            f"no column is named like a model: expected at least one of {', '.join(models)}, "
            f"found {', '.join(columns)}. {HINT}"
        )
    scores, costs = [
        {key: column for key in outputs if (column := named(f"{key}{kind}"))} for kind in (".score", ".cost")
    ]
    found = Columns(label, outputs, scores, costs, named("user"), contexts)
    _check_once(found, columns)
    _check_read(found, given)
    check_spelling(columns, found.all, _open(found, spellings, models))
    return found


def _spellings(models: Mapping[str, str]) -> dict[str, str]:
    """Each way to write a role, with the role: a model's by its key."""
    names = {spelling: key for name, key in models.items() for spelling in (name, key)}
    of_models = {f"{name}{kind}": f"{key}{kind}" for kind in _KINDS for name, key in names.items()}
    return of_models | {role: role for role in ("label", "user", "context")}


def _given(
    text: str | None, columns: Sequence[str], spellings: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The columns by role, and the contexts."""
    given: dict[str, str] = {}
    contexts: list[str] = []
    for name, column in pairs(text):
        role = spellings.get(name)
        if role is None:
            raise InvalidLog(f"--map: {unknown('role', name, spellings)}")
        if column not in columns:
            raise InvalidLog(f"--map {name}: {unknown('column', column, columns)}")
        if role == "context":
            contexts.append(column)
        elif role in given:
            raise InvalidLog(f"--map: {role!r} is given twice")
        else:
            given[role] = column
    return given, tuple(contexts)


def _named(role: str, columns: Sequence[str], spellings: Mapping[str, str]) -> str | None:
    """The column that is named like this role."""
    names = [name for name, of in spellings.items() if of == role and name in columns]
    if len(names) > 1:
        both = " and ".join(map(repr, names))
        raise InvalidLog(f"columns {both} are both named like {role!r}: give --map {role}=COLUMN")
    return names[0] if names else None


def _check_once(found: Columns, columns: Sequence[str]) -> None:
    """Raise InvalidLog where a column is there twice, or has a role beside that of the truth, or of outputs.

    A user may be a context as well, and models may have one cost.
    """
    owners: dict[str, str] = {}
    for role, column in found.roles:
        if columns.count(column) > 1:
            raise InvalidLog(f"column {column!r} is there more than once: rename or remove all but one")
        if column in owners:
            raise InvalidLog(
                f"column {column!r} would be read as {owners[column]!r} and as {role!r}: "
                "rename or copy it, or give another column with --map"
            )
        if role == "label" or role in found.outputs:
            owners[column] = role


def _check_read(found: Columns, given: Mapping[str, str]) -> None:
    """Raise InvalidLog where a role was given a column that would not be read."""
    read = dict(found.roles)
    for role, column in given.items():
        if role not in read:
            raise InvalidLog(f"--map {role}={column}: no column has the outputs of {role.rpartition('.')[0]!r}")


def _open(found: Columns, spellings: Mapping[str, str], models: Mapping[str, str]) -> Iterator[str]:
    """The ways to write those roles that have no column yet."""
    taken, alone = dict(found.roles), {"user", *models.values()}
    for spelling, role in spellings.items():
        if role not in taken and (role in alone or role.rpartition(".")[0] in found.outputs):
            yield spelling
