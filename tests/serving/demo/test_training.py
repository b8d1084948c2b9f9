from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from selector.decisions import Prediction
from serving import runtimes
from serving.config import load
from serving.demo.configuration import BLOCKS, write_configuration
from serving.demo.digits import Digits, load_digits, redrawn
from serving.demo.evidence import Trained
from serving.demo.training import BEST, RECIPES, VARIANTS, train_all
from serving.workers.rows import read_row


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    (folder / "models").mkdir()
    return folder


@pytest.fixture(scope="module")
def digits() -> tuple[Digits, Digits]:
    train, held_out = load_digits(seed=1)
    return redrawn(Digits(train.images[:600], train.labels[:600]), VARIANTS, seed=1), redrawn(held_out, 1, seed=2)


@pytest.fixture(scope="module")
def trained(folder: Path, digits: tuple[Digits, Digits]) -> list[Trained]:
    return list(train_all(digits[0], folder / "models", seed=1))


def test_all_models_are_trained_for_four_runtimes(trained: list[Trained]) -> None:
    assert [model.model for model in trained] == ["logistic:1", "vowpal:1", "forest:1", "svm:1", "cnn:1", "gated:1"]
    assert {model.runtime for model in trained} == {"python", "vowpal", "sklearn", "torch"}


@pytest.mark.parametrize("name", [recipe.name for recipe in RECIPES])
def test_a_model_is_loaded_by_its_runtime_and_reads_most_digits(
    name: str, folder: Path, digits: tuple[Digits, Digits], trained: list[Trained]
) -> None:
    assert error(name, folder, digits[1]) < 0.25


def test_the_best_answers_at_random_while_its_flag_is_there(
    folder: Path, digits: tuple[Digits, Digits], trained: list[Trained]
) -> None:
    torch.manual_seed(1)
    flag = folder / "models" / "broken"

    flag.touch()
    broken = error(BEST, folder, digits[1])
    flag.unlink()

    # 3,000 draws with probability .9 stray by more than .05 once in 10^19
    assert broken == pytest.approx(0.9, abs=0.05)
    assert error(BEST, folder, digits[1]) < 0.25


def test_the_gated_network_reports_the_blocks_that_each_image_took(
    folder: Path, digits: tuple[Digits, Digits], trained: list[Trained]
) -> None:
    assert {row.cost for row in said("gated", folder, digits[1])} <= set(range(BLOCKS + 1))


def error(name: str, folder: Path, digits: Digits) -> float:
    rows = said(name, folder, digits)
    return float(np.mean([row.output != label for row, label in zip(rows, digits.labels, strict=True)]))


def said(name: str, folder: Path, digits: Digits) -> list[Prediction]:
    config = load(write_configuration(folder))
    model = config.models[f"{name}:1"]
    runtime = runtimes.load(
        model.runtime, model.artifact, "cpu", model.classes, model.options, config.server.model_root
    )
    return [read_row(row, runtime.classes) for row in runtime.predict_batch(digits.images)]
