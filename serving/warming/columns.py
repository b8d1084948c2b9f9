"""Which column of a file of labelled outputs is what: `label=truth,svm=svm_says,svm.score=svm_sure,context=age`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from selector.replay import InvalidLog
from serving.settings import unknown
from serving.warming.misspelling import check_spelling
from serving.warming.roles import KINDS, Roles, roles_of

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
    def roles(self) -> list[tuple[str, str]]:
        """Every role, a model's by its key, with the column that has it; those that share it with none come first."""
        models = zip(KINDS, (self.outputs, self.scores, self.costs), strict=True)
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
    Raises InvalidLog where a column does not exist or is there twice, two are named like one role, or one like two;
    where that of the truth, of outputs or of scores is read as something else, too; where none has labels, or any
    model's outputs; where `text` says what would not be read; or where a column that would not be read seems to be a
    role misspelt: what is appended without it stays so.

    >>> find("label=truth", ["truth", "svm", "svm.score", "user"], {"svm": "svm:1", "cnn": "cnn:2"}).all
    ('truth', 'svm', 'svm.score', 'user')
    """
    roles = roles_of(models, columns)
    given, contexts = roles.given(text, columns)
    taken = (*given.values(), *contexts)

    def column_of(role: str) -> str | None:
        return given.get(role) or roles.named(role, columns, taken)

    label = column_of("label")
    if label is None:
        raise InvalidLog(f"{unknown('column', 'label', columns)}. {HINT}")
    outputs = {key: column for key in models.values() if (column := column_of(key))}
    if not outputs:
        raise InvalidLog(
            f"no column is named like a model: expected at least one of {', '.join(roles.names)}, "
            f"found {', '.join(map(repr, columns))}. {HINT}"
        )
    scores, costs = [{key: column for key in outputs if (column := column_of(f"{key}{kind}"))} for kind in KINDS[1:]]
    found = Columns(label, outputs, scores, costs, column_of("user"), contexts)
    _check_once(found, columns)
    _check_read(found, given)
    check_spelling(columns, found.all, _open(found, roles))
    return found


def _check_once(found: Columns, columns: Sequence[str]) -> None:
    """Raise InvalidLog where a column is there twice, or has a role beside that of the truth, of outputs or of scores.

    Scores and the user may be contexts as well, and models may have one cost.
    """
    owners: dict[str, str] = {}
    for role, column in found.roles:
        if columns.count(column) > 1:
            raise InvalidLog(f"column {column!r} is there more than once: rename or remove all but one")
        owner = owners.get(column)
        if owner is not None and not (role == "context" and owner.endswith(".score")):
            raise InvalidLog(
                f"column {column!r} would be read as {owner!r} and as {role!r}: "
                "rename or copy it, or give another column with --map"
            )
        if role == "label" or role in found.outputs or role.endswith(".score"):
            owners[column] = role


def _check_read(found: Columns, given: Mapping[str, str]) -> None:
    """Raise InvalidLog where a role was given a column that would not be read."""
    read = dict(found.roles)
    for role, column in given.items():
        if role not in read:
            raise InvalidLog(f"--map {role}={column}: no column has the outputs of {role.rpartition('.')[0]!r}")


def _open(found: Columns, roles: Roles) -> Iterator[str]:
    """The ways to write those roles that have no column yet."""
    taken, alone = dict(found.roles), {"user", *roles.models.values()}
    for spelling, role in roles.spellings.items():
        if role not in taken and (role in alone or role.rpartition(".")[0] in found.outputs):
            yield spelling
