"""Examples, read from a file row by row: what the models said of something, and what was right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from selector.decisions import Feature, Label, Prediction, encode
from selector.errors import InvalidLabel
from selector.losses import Loss
from selector.replay import InvalidLog
from serving.replaying.tables import Advance, chunks
from serving.vocabulary import Vocabulary
from serving.warming.cells import feature_of, label_of, number_of, score_of, user_of
from serving.warming.columns import Columns

T = TypeVar("T")

ROWS = 500
"""Rows between two reports of progress: about a second of learning, where the policy is slow."""


class Example(Struct, frozen=True, array_like=True):
    """One row of a file, below `copies` equal ones. `predictions` are those that it has, by the model's key."""

    file: str
    copies: int
    label: Label
    predictions: dict[str, Prediction]
    user: str | None
    features: dict[str, Feature]

    @property
    def client(self) -> str:
        """The query id by which it is known again, wherever in a file of that name it stands."""
        return f"warm-up-{self.digest.hex()}"

    @property
    def digest(self) -> bytes:
        """Of all that it says."""
        return blake2b(encode(self), digest_size=16).digest()


class Examples(Struct, frozen=True):
    """The examples in a file: .parquet, or CSV, also compressed (.gz)."""

    path: Path
    columns: Columns
    vocabulary: Vocabulary | None
    loss: Loss

    def read(self, advance: Advance) -> Iterator[Example]:
        """All, in order; `advance` hears the share of the file that has been read. Takes some 100 bytes a row.

        Raises InvalidLog, naming the row and the column of what is not what it should be.
        """
        copies: Counter[bytes] = Counter()
        for chunk in chunks(self.path, ROWS, advance):
            for place in range(len(chunk)):
                cells = {name: column[place] for name, column in chunk.columns.items()}
                example = self._example(_Row(self.path, chunk.first + place, cells))
                digest = example.digest
                yield replace(example, copies=copies[digest])
                copies[digest] += 1

    def _example(self, row: _Row) -> Example:
        columns = self.columns
        predictions = {key: self._prediction(row, key) for key in sorted(columns.outputs)}
        said = {key: prediction for key, prediction in predictions.items() if prediction is not None}
        if not said:
            raise InvalidLog(f"{row}: expected the output of at least one model, found none")
        label = row.read(columns.label, self._label)
        user = None if columns.user is None else row.read(columns.user, user_of)
        features = {column.strip(): row.read(column, feature_of) for column in columns.contexts}
        known = {name: value for name, value in features.items() if value is not None}
        return Example(self.path.name, 0, label, said, user, known)

    def _prediction(self, row: _Row, key: str) -> Prediction | None:
        output = row.read(self.columns.outputs[key], lambda cell: label_of(cell, self.vocabulary))
        if output is None:
            return None
        score, cost = self.columns.scores.get(key), self.columns.costs.get(key)
        return Prediction(
            output,
            None if score is None else row.read(score, score_of),
            cost=None if cost is None else row.read(cost, number_of),
        )

    def _label(self, cell: object) -> Label:
        label = label_of(cell, self.vocabulary)
        if label is None:
            raise InvalidLabel("expected a label, found an empty cell")
        self.loss.check(label)
        return label


class _Row(Struct, frozen=True):
    """A row on its way; errors say where it is."""

    path: Path
    number: int
    cells: dict[str, object]

    def __str__(self) -> str:
        return f"{self.path}, row {self.number}"

    def read(self, column: str, how: Callable[[object], T]) -> T:
        """What a cell says, or InvalidLog where `how` raises InvalidLabel."""
        try:
            return how(self.cells[column])
        except InvalidLabel as error:
            raise InvalidLog(f"{self}, column {column!r}: {error}") from None
