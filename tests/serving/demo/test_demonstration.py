from __future__ import annotations

import io
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from selector.errors import InvalidSetting
from serving.demo import run
from serving.demo.demonstration import conclude
from serving.demo.evidence import Kill
from tests.serving.demo.stories import good_evidence


def test_the_exit_code_is_zero_only_if_every_claim_holds() -> None:
    console = Console(file=io.StringIO())

    assert conclude(console, good_evidence()) == 0
    assert conclude(console, replace(good_evidence(), kill=Kill(4500, 7, left=1, seconds=4.0))) == 1


def test_too_few_queries_to_tell_luck_from_learning_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="at least 1500, found 100"):
        run(queries=100)


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not touch")

    with pytest.raises(InvalidSetting, match="is not empty"):
        run(folder=tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
