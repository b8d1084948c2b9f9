"""Models that workers load in tests."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


class Sum:
    def __init__(self, device: str) -> None:
        print("a model may print what it likes")

    def predict_batch(self, inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        print("here too")
        sums: np.ndarray[Any, Any] = inputs.reshape(len(inputs), -1).sum(axis=1)
        return sums


class Moody:
    """Does what the first value of the first input says; answers with its process id."""

    FINE, RAISE, EXIT, HANG, FEW, MANY, NAN, BYTES = range(8)

    def __init__(self, device: str) -> None:
        self.device = device

    def predict_batch(self, inputs: np.ndarray[Any, Any]) -> list[Any]:
        mood = int(inputs[0, 0])
        rows: list[Any] = [os.getpid()] * len(inputs)
        if mood == self.RAISE:
            raise LookupError("not today")
        if mood == self.EXIT:
            os._exit(3)
        if mood == self.HANG:
            time.sleep(1000)
        rows[-1] = {self.NAN: float("nan"), self.BYTES: b"bytes"}.get(mood, rows[-1])
        return {self.FEW: rows[1:], self.MANY: [*rows, 1]}.get(mood, rows)


class Diary:
    """Tells how often it has been asked, for what, what it was built with and where it was found."""

    def __init__(self, device: str, **options: object) -> None:
        self.calls = 0
        self.options = options
        self.device = device

    def predict_batch(self, inputs: Any) -> list[str]:
        self.calls += 1
        threads = os.environ["OMP_NUM_THREADS"]
        place = "last" if sys.path.index(str(Path(__file__).parent)) == len(sys.path) - 1 else "first"
        return [f"{self.calls} {row!r} {self.device} {self.options} {threads} {place}" for row in inputs]


class Unloadable:
    def __init__(self, device: str, how: str) -> None:
        if how == "raise":
            raise ValueError("no weights")
        if how == "exit":
            sys.exit(7)
        time.sleep(1000)


class ZeroHater:
    def __init__(self, device: str) -> None:
        pass

    def predict_batch(self, inputs: np.ndarray[Any, Any]) -> list[float]:
        return [1.0 / float(row[0]) for row in inputs.tolist()]
