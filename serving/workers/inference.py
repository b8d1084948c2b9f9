"""From a batch to its answer: the model is called here, and whatever it does, there is an answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import accumulate, pairwise
from math import prod

import numpy as np
from msgspec import msgpack

from selector.decisions import Prediction
from serving.runtimes import Inputs, Returned, Runtime
from serving.workers import frames
from serving.workers.frames import NUMBERS, Ask, BatchFailed, Labels, Rows
from serving.workers.rows import InvalidRow, plain_labels, read_row

logger = logging.getLogger(__name__)

_REASON = 1000  # characters of an exception's message that travel; the log has it all


class Inference:
    """One loaded model. `name` is the model's key."""

    def __init__(self, name: str, runtime: Runtime) -> None:
        self._name = name
        self._runtime = runtime

    def answer(self, ask: Ask, body: bytearray) -> bytes:
        """The frame that answers a batch: predictions and errors by row, or the one error of the whole batch."""
        try:
            return self._encoded(ask, self._predict(ask, body))
        except Exception as error:
            logger.exception("%s failed on a batch of %d", self._name, ask.rows)
            return frames.encode(BatchFailed(ask.batch, ask.rows, explain(error)))

    def warm_up(self, datatype: str, shape: tuple[int, ...]) -> None:
        """Predict for one input of zeros (a size of -1 becomes 1), so that the first query finds all in place.

        BYTES and JSON have no value that would mean something to every model: nothing is asked. Raises
        whatever the model raises; a row that is not a prediction is only logged, for zeros may be unlike any input.
        """
        if datatype not in NUMBERS:
            return
        fixed = tuple(1 if size == -1 else size for size in shape)
        ask = Ask(0, datatype, fixed, 1)
        zeros = bytearray(prod(fixed) * np.dtype(NUMBERS[datatype]).itemsize)
        self._encoded(ask, self._predict(ask, zeros))

    def _predict(self, ask: Ask, body: bytearray) -> Returned:
        returned = self._runtime.predict_batch(_inputs(ask, body))
        if not hasattr(returned, "__len__") or isinstance(returned, str | bytes | Mapping):
            raise TypeError(f"predict_batch returned {type(returned).__name__}, not a sequence of rows")
        if len(returned) != ask.rows:
            raise ValueError(f"returned {len(returned)} rows for {ask.rows} inputs")
        return returned

    def _encoded(self, ask: Ask, returned: Returned) -> bytes:
        return _plain(ask, returned) or self._by_row(ask, returned)

    def _by_row(self, ask: Ask, returned: Returned) -> bytes:
        rows: list[Prediction | None] = [None] * ask.rows
        errors = {}
        for index, row in enumerate(returned):
            try:
                rows[index] = read_row(row, self._runtime.classes)
            except InvalidRow as error:
                errors[index] = str(error)
        if errors:
            index, first = next(iter(errors.items()))
            logger.error("%s: %d of %d rows; row %d: %s", self._name, len(errors), ask.rows, index, first)
        return frames.encode(Rows(ask.batch, rows, errors))


def explain(error: BaseException) -> str:
    """An exception in a line, for people who do not see the log."""
    text = f"{type(error).__name__}: {error}"[:_REASON]
    return text.encode(errors="replace").decode()


def _plain(ask: Ask, returned: Returned) -> bytes | None:
    """The answer if all rows are plain labels that the wire can carry."""
    labels = plain_labels(returned)
    if labels is None:
        return None
    try:
        return frames.encode(Labels(ask.batch, labels))
    except (OverflowError, UnicodeError):
        return None


def _inputs(ask: Ask, body: bytearray) -> Inputs:
    if ask.datatype in NUMBERS:
        return np.frombuffer(body, NUMBERS[ask.datatype]).reshape(ask.rows, *ask.shape)
    ends = accumulate(ask.sizes, initial=0)
    rows = [bytes(body[start:end]) for start, end in pairwise(ends)]
    return rows if ask.datatype == "BYTES" else [msgpack.decode(row) for row in rows]
