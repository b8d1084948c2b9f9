"""A store has one server."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedback_store.contract import StoreUnavailable
from feedback_store.ownership import StoreInUse, held_alone


def test_a_second_server_is_refused_and_told_which_folder(tmp_path: Path) -> None:
    with held_alone(tmp_path / "spool"):
        with (
            pytest.raises(StoreInUse, match=f"another server is running on {tmp_path}"),
            held_alone(tmp_path / "spool"),
        ):
            pytest.fail("two servers on one store")
        with held_alone(tmp_path / "other"):
            pass


def test_the_next_server_may_have_it_when_the_first_has_ended(tmp_path: Path) -> None:
    with held_alone(tmp_path):
        pass
    with held_alone(tmp_path):
        pass


def test_a_store_that_this_server_may_not_lock_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "spool" / "server").mkdir(parents=True)
    with (
        pytest.raises(StoreUnavailable, match=f"folder {tmp_path} cannot be used: Is a directory"),
        held_alone(tmp_path / "spool"),
    ):
        pytest.fail("held what cannot be locked")


def test_a_store_in_no_folder_is_not_made(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreUnavailable, match=f"folder {tmp_path}/no cannot be used: No such file"),
        held_alone(tmp_path / "no" / "spool"),
    ):
        pytest.fail("held in no folder")
    assert list(tmp_path.iterdir()) == []
