"""A model without a framework: what the `python` runtime needs is one class like this."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.demo.digits import Images


class Logistic:
    """Multinomial logistic regression. `weights` is the path of an npz: `coefficients` [10, 784], `intercepts` [10]."""

    def __init__(self, device: str, weights: str) -> None:  # noqa: ARG002 (numpy has one device)
        saved = np.load(weights)
        self._coefficients = saved["coefficients"].T
        self._intercepts = saved["intercepts"]

    def predict_batch(self, inputs: Images) -> NDArray[Any]:
        """Probabilities of the classes, `[n, 10]`."""
        logits = inputs @ self._coefficients + self._intercepts
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: NDArray[Any] = odds / odds.sum(axis=1, keepdims=True)
        return probabilities
