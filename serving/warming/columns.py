"""Which column of a file of labelled outputs is what: `label=truth,svm=svm_says,svm.score=svm_sure,context=age`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from selector.replay import InvalidLog
from serving.replaying.mapping import pairs
from serving.settings import unknown
from serving.warming.misspelling import like

HINT = "--map says which column is what: label=COLUMN, MODEL=COLUMN"


class Columns(Struct, frozen=True):
    """Names of columns. Of `outputs`, `scores` and `costs` by the key of the model; of `contexts` by themselves."""

    label: str
    outputs: dict[str, str]
    scores: dict[str, str]
    costs: dict[str, str]
    user: str | None
    contexts: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every column that is read."""
        models = (*self.outputs.values(), *self.scores.values(), *self.costs.values())
        user = () if self.user is None else (self.user,)
        return (self.label, *models, *user, *self.contexts)


def find(text: str | None, columns: Sequence[str], models: Mapping[str, str]) -> Columns:
    """What `text` (of --map) says, else those that are named like a role: `label`, `user`, a model, `MODEL.score`.

    `models` are the application's: the key of each by its name in the configuration. Raises InvalidLog where a column
    does not exist, is there twice, or has two roles of which one must be wrong; where none has labels, or any model's
    outputs; or where one that would not be read seems to be a role misspelt: what is appended without it stays so.

    >>> find("label=truth", ["truth", "svm", "svm.score", "user"], {"svm": "svm:1", "cnn": "cnn:2"}).all
    ('truth', 'svm', 'svm.score', 'user')
    """
    given, contexts = _given(text, columns, models)

    def named(role: str) -> str | None:
        return given.get(role, role if role in columns else None)

    label = named("label")
    if label is None:
        raise InvalidLog(f"{unknown('column', 'label', columns)}. {HINT}")
    outputs = {key: column for name, key in models.items() if (column := named(name) or named(key))}
    if not outputs:
        raise InvalidLog(
            f"no column is named like a model: expected at least one of {', '.join(models)}, "
            f"found {', '.join(columns)}. {HINT}"
        )
    names = {name: key for name, key in models.items() if key in outputs}
    found = Columns(
        label,
        outputs,
        {key: column for name, key in names.items() if (column := named(f"{name}.score") or named(f"{key}.score"))},
        {key: column for name, key in names.items() if (column := named(f"{name}.cost") or named(f"{key}.cost"))},
        named("user"),
        contexts,
    )
    _check_once(found, columns)
    _check_unread(found, columns, models)
    return found


def _check_once(found: Columns, columns: Sequence[str]) -> None:
    """Raise InvalidLog where a column is there twice, or would be read as two models' outputs, or as truth and output.

    A user may be a context as well, and models may have one cost.
    """
    for column in found.all:
        if columns.count(column) > 1:
            raise InvalidLog(f"column {column!r} is there more than once: rename or remove all but one")
    roles: dict[str, str] = {}
    for role, column in (("label", found.label), *found.outputs.items()):
        if column in roles:
            raise InvalidLog(f"column {column!r} would be read as {roles[column]!r} and as {role!r}. {HINT}")
        roles[column] = role


def _check_unread(found: Columns, columns: Sequence[str], models: Mapping[str, str]) -> None:
    """Raise InvalidLog where a column that would not be read is almost named like a role that has none."""
    unread = [column for column in columns if column not in found.all and not _of_another(column, columns)]
    for role in _open(found, models):
        for column in unread:
            if like(column, role):
                raise InvalidLog(
                    f"column {column!r} would not be read; did you mean {role!r}? Rename it or leave it out, "
                    f"or give --map {role}={column}"
                )


def _open(found: Columns, models: Mapping[str, str]) -> Iterator[str]:
    """The roles that have no column yet."""
    if found.user is None:
        yield "user"
    for name, key in models.items():
        if key not in found.outputs:
            yield from (name, key)
            continue
        if key not in found.scores:
            yield from (f"{name}.score", f"{key}.score")
        if key not in found.costs:
            yield from (f"{name}.cost", f"{key}.cost")


def _of_another(column: str, columns: Sequence[str]) -> bool:
    """Whether it is the score or cost of a model that has a column, and so no other's."""
    model, _, kind = column.rpartition(".")
    return kind in ("score", "cost") and model in columns


def _given(
    text: str | None, columns: Sequence[str], models: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The columns by role, and the contexts."""
    of_models = [f"{model}{kind}" for model in (*models, *models.values()) for kind in ("", ".score", ".cost")]
    roles = dict.fromkeys(["label", "user", "context", *of_models])
    given: dict[str, str] = {}
    contexts: list[str] = []
    for role, column in pairs(text):
        if role not in roles:
            raise InvalidLog(f"--map: {unknown('role', role, roles)}")
        if column not in columns:
            raise InvalidLog(f"--map {role}: {unknown('column', column, columns)}")
        if role == "context":
            contexts.append(column)
        elif role in given:
            raise InvalidLog(f"--map: {role!r} is given twice")
        else:
            given[role] = column
    return given, tuple(contexts)
