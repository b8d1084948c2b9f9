"""Any Python class with `predict_batch(self, inputs)`; `__init__(self, device, **options)` loads it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import Any

from selector.decisions import Label
from serving.runtimes import Inputs, Returned


class Python:
    """`artifact` is "package.module:Class", found beside the configuration or installed."""

    def __init__(self, artifact: str, device: str, classes: Sequence[Label] | None, /, **options: Any) -> None:
        self.classes = classes
        self._model = resolve_name(artifact)(device if device != "auto" else best_device(), **options)

    def predict_batch(self, inputs: Inputs) -> Returned:
        rows: Returned = self._model.predict_batch(inputs)
        return rows


def best_device() -> str:
    """`cuda` if the driver sees a GPU, else `cpu`; asked of the driver, for importing a framework takes seconds."""
    try:
        cuda, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(0)
    except OSError:
        return "cpu"
    found = cuda.cuInit(0) == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    return "cuda" if found else "cpu"
