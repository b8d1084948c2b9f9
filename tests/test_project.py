"""The project as a whole: what is released, what README says, what an import does."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import fields

from serving import cli
from serving.api.app import create_app
from serving.checks import RESERVED_NAMES
from serving.choices import policy_kinds
from serving.config import ApplicationConfig, ModelConfig, ServerConfig, StoreConfig, parse
from serving.service import Service
from serving.settings import keys

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

TABLES: dict[str, type[Struct]] = {
    "[server]": ServerConfig,
    "[store]": StoreConfig,
    "[models.NAME]": ModelConfig,
    "[applications.NAME]": ApplicationConfig,
}


def documented(heading: str) -> dict[str, str]:
    """The first two columns of the table below a heading of README: names, and what is said of them."""
    section = README.partition(f"# {heading}\n")[2].partition("\n#")[0]
    return dict(re.findall(r"(?m)^\| `([^`]+)` \| ([^|]*?) \|", section))


def test_the_version_is_the_newest_in_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    newest = re.search(r"(?m)^## \[?([\d.]+)", (ROOT / "CHANGELOG.md").read_text())
    assert newest is not None
    assert newest[1] == project["version"]


def test_the_tests_that_ci_runs_are_those_that_readme_names() -> None:
    command = re.search(r"\.venv/bin/pytest.*", README)
    assert command is not None
    assert command[0] in (ROOT / ".ci/run").read_text().splitlines()


@pytest.mark.parametrize("table", TABLES)
def test_every_setting_is_documented_and_nothing_else(table: str) -> None:
    assert sorted(documented(f"`{table}`")) == sorted(keys(TABLES[table]))


def test_every_policy_is_documented_with_all_its_settings() -> None:
    told = documented("Policies")
    assert sorted(told) == sorted(policy_kinds())
    for name, kind in policy_kinds().items():
        settings = {field.name for field in fields(kind)} - {"task"}
        assert settings == set(re.findall(r"`(\w+)`", told[name])), name


def test_every_route_is_documented_and_hides_no_application(tmp_path: Path) -> None:
    app = create_app(Service(parse(cli.EXAMPLE, tmp_path)))
    for path in app.openapi()["paths"]:
        assert f" {path.replace('/first/', '/{app}/').replace('/{name}/state', '/{app}/state')}" in README, path
    heads = {path.split("/")[1] for path in [*app.openapi()["paths"], "/openapi.json", "/docs", "/redoc"]}
    assert heads - {"first"} <= RESERVED_NAMES


def test_the_configurations_in_readme_and_help_can_be_served(tmp_path: Path) -> None:
    examples = re.findall(r"(?s)```toml\n(.*?)```", README)
    assert examples
    for text in [*examples, cli.EXAMPLE]:
        assert parse(text, tmp_path).applications


@pytest.mark.parametrize(
    "module", ["serving.config", "serving.cli", "serving.service", "serving.api.server", "selector", "feedback_store"]
)
def test_an_import_does_no_work_and_brings_no_framework(module: str) -> None:
    heavy = "{'torch', 'sklearn', 'vowpalwabbit', 'joblib', 'scipy', 'mlxtend', 'matplotlib'}"
    code = f"import sys, threading, {module}; print(sorted({heavy} & set(sys.modules)), threading.active_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[] 1\n"
    assert done.stderr == ""
