"""Estimators and pipelines of scikit-learn, as `joblib.dump` saves them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np

from selector.decisions import Label
from serving.runtimes import Inputs, Returned


class Sklearn:
    """`predict_proba` where the estimator has it, else `predict`. Arrays are flattened to [n, features].

    joblib is pickle: the file can run any code, and comes from the operator alone, never from the network.
    """

    def __init__(self, artifact: Path, device: str, classes: Sequence[Label] | None, /) -> None:  # noqa: ARG002
        estimator = joblib.load(artifact)
        if hasattr(estimator, "predict_proba"):
            self.predict, self.classes = estimator.predict_proba, classes or estimator.classes_.tolist()
        else:
            self.predict, self.classes = estimator.predict, classes

    def predict_batch(self, inputs: Inputs) -> Returned:
        features = inputs.reshape(len(inputs), -1) if isinstance(inputs, np.ndarray) else inputs
        rows: Returned = self.predict(features)
        return rows
