from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from selector.decisions import Prediction
from serving import runtimes
from serving.runtimes import Runtime
from serving.workers.rows import read_row
from tests.serving.runtimes import modules

INPUTS = np.array([[3, 1], [1, 2], [0, 0]], np.float32)
OUTPUTS = np.array([[4, 2], [3, -1], [0, 0]], np.float32)
FACTORY = f"{modules.__name__}:linear"


@pytest.fixture
def module() -> torch.nn.Module:
    module = modules.linear()
    module.load_state_dict({"weight": torch.tensor([[1.0, 1.0], [1.0, -1.0]])})
    return module


def loaded(folder: Path, artifact: str, classes: list[str] | None = None, **options: Any) -> Runtime:
    return runtimes.load("torch", artifact, "auto", classes, options, folder)


def test_an_exported_program_runs(tmp_path: Path, module: torch.nn.Module) -> None:
    shapes = ({0: torch.export.Dim("n")},)
    program = torch.export.export(module, (torch.zeros(2, 2),), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "m.pt2")
    model = loaded(tmp_path, "m.pt2")
    for count in (1, 3):
        assert np.array_equal(np.asarray(model.predict_batch(INPUTS[:count])), OUTPUTS[:count])


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torchscript_runs(tmp_path: Path, module: torch.nn.Module) -> None:
    torch.jit.script(module).save(tmp_path / "m.pt")  # type: ignore[no-untyped-call]
    assert np.array_equal(np.asarray(loaded(tmp_path, "m.pt").predict_batch(INPUTS)), OUTPUTS)


def test_a_factory_gets_its_weights(tmp_path: Path, module: torch.nn.Module) -> None:
    torch.save(module.state_dict(), tmp_path / "m.pt")
    model = loaded(tmp_path, "m.pt", factory=FACTORY)
    assert np.array_equal(np.asarray(model.predict_batch(INPUTS)), OUTPUTS)


def test_weights_are_all_that_is_read_beside_a_factory(tmp_path: Path) -> None:
    torch.save({"weight": Path("code could be here")}, tmp_path / "m.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        loaded(tmp_path, "m.pt", factory=FACTORY)


def test_logits_become_probabilities_of_the_classes(tmp_path: Path, module: torch.nn.Module) -> None:
    torch.save(module.state_dict(), tmp_path / "m.pt")
    rows = np.asarray(loaded(tmp_path, "m.pt", ["a", "b"], factory=FACTORY).predict_batch(INPUTS))
    assert rows.sum(axis=1) == pytest.approx([1, 1, 1])
    assert rows[0, 0] == pytest.approx(1 / (1 + np.exp(-2)))
    as_it_is = loaded(tmp_path, "m.pt", ["a", "b"], factory=FACTORY, softmax=False)
    assert np.array_equal(np.asarray(as_it_is.predict_batch(INPUTS)), OUTPUTS)


def test_half_precision_is_near(tmp_path: Path, module: torch.nn.Module) -> None:
    torch.save(module.state_dict(), tmp_path / "m.pt")
    model = loaded(tmp_path, "m.pt", factory=FACTORY, bf16=True)
    exact = INPUTS[:, :1] * np.float32(1.001)
    rows = np.asarray(model.predict_batch(np.hstack([exact, 0 * exact])))
    assert rows.dtype == np.float32
    assert rows[0, 0] == 3.0  # 3.003 has no bfloat16


def test_a_module_may_tell_the_cost_of_each_input(tmp_path: Path) -> None:
    torch.save(modules.Counting().state_dict(), tmp_path / "m.pt")
    factory = f"{modules.__name__}:Counting"
    model = loaded(tmp_path, "m.pt", ["a", "b"], factory=factory, price=0.5)
    first, *_, last = (read_row(row, model.classes) for row in model.predict_batch(INPUTS))
    assert (first.output, first.cost) == ("a", 2.0)
    assert dict(first.probabilities or ()) == pytest.approx({"a": 1 / (1 + np.exp(-2)), "b": 1 / (1 + np.exp(2))})
    assert last.cost == 0.0


def test_a_number_may_have_a_cost(tmp_path: Path) -> None:
    torch.save(modules.Counting().state_dict(), tmp_path / "m.pt")
    model = loaded(tmp_path, "m.pt", factory=f"{modules.__name__}:Counting")
    (row,) = model.predict_batch(INPUTS[:1, :1])
    assert read_row(row, None) == Prediction(3.0, cost=3.0)
