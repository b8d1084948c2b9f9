from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from vowpalwabbit import Workspace

from selector.decisions import Label
from serving import runtimes
from serving.runtimes import Runtime

INPUTS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)


def trained(
    folder: Path, arguments: str, lines: list[str], classes: list[Label] | None = None, **options: bool
) -> Runtime:
    workspace = Workspace(f"--quiet {arguments}")
    for _ in range(100):
        for line in lines:
            workspace.learn(line)
    workspace.save(str(folder / "a model.vw"))
    workspace.finish()
    return runtimes.load("vowpal", "a model.vw", "auto", classes, options, folder)


ONE_OF_THREE = ["1 | 0:1", "2 | 1:1", "3 | 2:1"]


@pytest.mark.parametrize("kind", ["--oaa 3", "--ect 3"])
def test_a_class_is_its_number(tmp_path: Path, kind: str) -> None:
    assert trained(tmp_path, kind, ONE_OF_THREE).predict_batch(INPUTS) == [1, 2, 3]


def test_a_class_has_the_name_that_the_configuration_gives_it(tmp_path: Path) -> None:
    model = trained(tmp_path, "--oaa 3", ONE_OF_THREE, ["a", "b", "c"])
    assert model.predict_batch(INPUTS) == ["a", "b", "c"]


def test_a_cost_sensitive_model_names_a_class_too(tmp_path: Path) -> None:
    lines = ["1:0 2:1 3:1 | 0:1", "1:1 2:0 3:1 | 1:1", "1:1 2:1 3:0 | 2:1"]
    assert trained(tmp_path, "--csoaa 3", lines, ["a", "b", "c"]).predict_batch(INPUTS) == ["a", "b", "c"]


def test_probabilities_are_a_vector(tmp_path: Path) -> None:
    arguments = "--oaa 3 --loss_function logistic"
    model = trained(tmp_path, arguments, ONE_OF_THREE, ["a", "b", "c"], probabilities=True)
    rows = np.asarray(model.predict_batch(INPUTS))
    assert rows.argmax(axis=1).tolist() == [0, 1, 2]
    assert rows.sum(axis=1) == pytest.approx([1, 1, 1])


def test_a_regression_gives_a_number(tmp_path: Path) -> None:
    rows = trained(tmp_path, "", ["2 | 0:1", "5 | 1:1"]).predict_batch(INPUTS[:2])
    assert list(rows) == pytest.approx([2, 5], abs=0.2)


@pytest.mark.parametrize("text", [b"good\n2 | bad", "good |2:9 bad", "good | bad", "2 good bad |"])
def test_text_cannot_be_anything_but_features(tmp_path: Path, text: str | bytes) -> None:
    model = trained(tmp_path, "", ["1 | good", "2 | bad"])
    (alone,), (together,) = model.predict_batch(["good bad"]), model.predict_batch([text])
    assert together == pytest.approx(alone)


def test_asking_teaches_nothing(tmp_path: Path) -> None:
    model = trained(tmp_path, "", ["2 | 0:1"])
    assert model.predict_batch(INPUTS[:1]) == model.predict_batch(INPUTS[:1])
