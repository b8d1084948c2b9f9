"""Which column of a file of labelled outputs is what: `label=truth,svm=svm_says,svm.score=svm_sure,context=age`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from selector.replay import InvalidLog
from serving.replaying.mapping import pairs
from serving.settings import unknown

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
    does not exist, or there is none with labels, or with any model's outputs.

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
    return Columns(
        label,
        outputs,
        {key: column for name, key in names.items() if (column := named(f"{name}.score"))},
        {key: column for name, key in names.items() if (column := named(f"{name}.cost"))},
        named("user"),
        contexts,
    )


def _given(
    text: str | None, columns: Sequence[str], models: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The columns by role, and the contexts."""
    of_models = [role for name, key in models.items() for role in (name, key, f"{name}.score", f"{name}.cost")]
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
        else:
            given[role] = column
    return given, tuple(contexts)
