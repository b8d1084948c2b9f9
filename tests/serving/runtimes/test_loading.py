from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from selector.errors import InvalidSetting
from serving import runtimes
from serving.runtimes.python import Python, best_device
from tests.serving.runtimes import modules


def test_a_python_class_is_built_with_device_and_options(tmp_path: Path) -> None:
    artifact = f"{modules.__name__}:Echo"
    model = runtimes.load("python", artifact, "cuda:1", ["a"], {"times": 2}, tmp_path)
    assert model.predict_batch([b"a", 1]) == ["b'a'b'a'", "11"]
    assert model.classes == ["a"]
    assert isinstance(model, Python)


def test_an_option_that_a_model_does_not_take_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="tines"):
        runtimes.load("python", f"{modules.__name__}:Echo", "cpu", None, {"tines": 2}, tmp_path)


def test_auto_is_a_device_that_is_there() -> None:
    assert best_device() in ("cpu", "cuda")


def test_an_artifact_is_a_file_under_the_model_root(tmp_path: Path) -> None:
    root = tmp_path / "models"
    (root / "svm").mkdir(parents=True)
    (root / "svm" / "1.joblib").touch()
    assert runtimes.artifact_path(root, "svm/1.joblib") == root / "svm" / "1.joblib"


def test_a_link_within_the_model_root_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to("real")
    assert runtimes.artifact_path(tmp_path, "link") == tmp_path / "real"


@pytest.mark.parametrize("artifact", ["../secret", "/etc/passwd", "svm/../../secret", "link"])
def test_no_artifact_is_loaded_from_outside_the_model_root(tmp_path: Path, artifact: str) -> None:
    root = tmp_path / "models"
    (root / "svm").mkdir(parents=True)
    (tmp_path / "secret").touch()
    (root / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidSetting, match="outside the model root"):
        runtimes.artifact_path(root, artifact)


@pytest.mark.parametrize("artifact", ["absent", "."])
def test_an_artifact_that_is_no_file_is_refused(tmp_path: Path, artifact: str) -> None:
    with pytest.raises(InvalidSetting, match="not a file"):
        runtimes.artifact_path(tmp_path, artifact)


def test_a_worker_pays_for_no_framework_that_it_does_not_use() -> None:
    code = """
import sys
import serving.workers.process, serving.runtimes.python, serving.workers.supervisor
heavy = {"torch", "sklearn", "joblib", "vowpalwabbit", "scipy", "sqlalchemy", "fastapi", "simdjson"}
print(heavy & sys.modules.keys())
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.parametrize("name", sorted(runtimes.RUNTIMES))
def test_every_runtime_is_where_its_name_says(name: str) -> None:
    module, _, kind = runtimes.RUNTIMES[name].partition(":")
    assert module == f"serving.runtimes.{name}"
    assert (Path(runtimes.__file__).parent / f"{name}.py").read_text().count(f"class {kind}:") == 1
