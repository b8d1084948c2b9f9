from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from serving import runtimes
from serving.runtimes import Runtime

X = np.array([[0.0, 0.0], [0.0, 1.0], [5.0, 5.0], [5.0, 6.0]])
IMAGES = X.reshape(4, 1, 2).astype(np.float32)


def loaded(folder: Path, estimator: Any, classes: list[str] | None = None) -> Runtime:
    joblib.dump(estimator, folder / "model.joblib")
    return runtimes.load("sklearn", "model.joblib", "auto", classes, {}, folder)


def test_a_classifier_gives_probabilities_of_its_own_classes(tmp_path: Path) -> None:
    model = loaded(tmp_path, LogisticRegression().fit(X, ["low", "low", "high", "high"]))
    rows = np.asarray(model.predict_batch(IMAGES))
    assert model.classes == ["high", "low"]
    assert rows.shape == (4, 2)
    assert rows.argmax(axis=1).tolist() == [1, 1, 0, 0]


def test_the_configuration_may_name_the_classes(tmp_path: Path) -> None:
    model = loaded(tmp_path, LogisticRegression().fit(X, [0, 0, 1, 1]), ["low", "high"])
    assert model.classes == ["low", "high"]


def test_a_classifier_without_probabilities_gives_labels(tmp_path: Path) -> None:
    model = loaded(tmp_path, LinearSVC().fit(X, [3, 3, 8, 8]))
    assert list(model.predict_batch(IMAGES)) == [3, 3, 8, 8]


def test_a_regression_gives_numbers(tmp_path: Path) -> None:
    model = loaded(tmp_path, LinearRegression().fit(X, X.sum(axis=1)))
    assert list(model.predict_batch(IMAGES)) == pytest.approx([0, 1, 10, 11], abs=1e-5)


def test_a_pipeline_takes_text(tmp_path: Path) -> None:
    texts = ["good good", "fine good", "bad", "bad awful"]
    pipeline = make_pipeline(CountVectorizer(), MultinomialNB()).fit(texts, [1, 1, 0, 0])
    rows = np.asarray(loaded(tmp_path, pipeline).predict_batch([b"good", b"awful bad"]))
    assert rows.argmax(axis=1).tolist() == [1, 0]
