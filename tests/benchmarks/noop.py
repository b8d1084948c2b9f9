"""Models that cost next to nothing, and models that fail in every way we know: for benchmarks and for tests.

A server under test gets a copy of this file beside its configuration: `artifact = "noop:Sum"`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from math import nan
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

POISON = -666.0
"""The first number of an input that makes `Misbehaving` misbehave."""

Misdeed = Literal["raise", "hang", "exit", "few", "nan", "type"]


class Sum:
    """The sum of each input, which anybody can check.

    `wrong_every` k > 0: one too much wherever the rounded sum is divisible by k. `seconds` is how long a
    batch takes. `trace` is a file that gets a line with the process id when a batch begins.
    """

    def __init__(self, device: str, wrong_every: int = 0, seconds: float = 0.0, trace: str | None = None) -> None:
        self.wrong_every = wrong_every
        self.seconds = seconds
        self.trace = trace

    def predict_batch(self, inputs: NDArray[Any]) -> Sequence[Any]:
        """One float for each row of `inputs`, shape [n, k]."""
        if self.trace is not None:
            with Path(self.trace).open("a") as trace:
                trace.write(f"{os.getpid()}\n")
        if self.seconds:
            time.sleep(self.seconds)
        sums = inputs.sum(axis=1)
        if self.wrong_every:
            sums += np.rint(sums) % self.wrong_every == 0
        answers: list[float] = sums.tolist()
        return answers


class Misbehaving(Sum):
    """`Sum`, until a batch holds an input that begins with POISON: then it does what `how` says."""

    def __init__(self, device: str, how: Misdeed, **options: Any) -> None:
        super().__init__(device, **options)
        self.how = how

    def predict_batch(self, inputs: NDArray[Any]) -> Sequence[Any]:
        """See Sum."""
        answers = super().predict_batch(inputs)
        poisoned = inputs[:, 0] == POISON
        return self._misbehave(answers, poisoned) if poisoned.any() else answers

    def _misbehave(self, answers: Sequence[Any], poisoned: NDArray[np.bool_]) -> Sequence[Any]:
        match self.how:
            case "raise":
                raise ValueError("this input is poison")
            case "hang":
                time.sleep(3600)
            case "exit":
                os._exit(3)
            case "few":
                return answers[1:]
            case "nan":
                return [nan if bad else answer for answer, bad in zip(answers, poisoned, strict=True)]
            case "type":
                return [b"bytes" if bad else answer for answer, bad in zip(answers, poisoned, strict=True)]
        return answers


class Sick(Sum):
    """`Sum`, but while the file `sick` exists (in the folder of the configuration) it does what is written in it.

    "raise", or a number that it answers to everything. Inputs of zeros alone, as a worker warms up with, do it no harm.
    """

    def __init__(self, device: str, sick: str) -> None:
        super().__init__(device)
        self.sick = Path(__file__).with_name(sick)

    def predict_batch(self, inputs: NDArray[Any]) -> Sequence[Any]:
        """See Sum."""
        if not self.sick.exists() or not inputs.any():
            return super().predict_batch(inputs)
        symptom = self.sick.read_text()
        if symptom == "raise":
            raise ValueError("it is sick")
        return [float(symptom)] * len(inputs)
