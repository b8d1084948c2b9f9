"""From a URL to a log."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from feedback_store.contract import StoreUnavailable
from feedback_store.memory import MemoryLog
from feedback_store.opening import open_log
from selector.errors import InvalidSetting
from tests.feedback_store.samples import a_row


def test_a_file_is_made(tmp_path: Path) -> None:
    log = open_log(f"sqlite:///{tmp_path}/log.db")
    log.commit([a_row(1)], [])
    log.close()
    again = open_log(f"sqlite:///{tmp_path}/log.db")
    assert again.last_query() == 1
    again.close()


def test_memory_is_a_log_too() -> None:
    assert isinstance(open_log("memory://"), MemoryLog)


@pytest.mark.parametrize("url", ["windjammer.db", "mysql://localhost/x", "postgresql://x/y", "sqlite://", ""])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidSetting):
        open_log(url)


def test_a_folder_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=f"no folder {tmp_path}/a/b"):
        open_log(f"sqlite:///{tmp_path}/a/b/log.db")
    assert list(tmp_path.iterdir()) == []


def test_postgresql_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InvalidSetting, match=r"pip install 'windjammer\[postgres\]'"):
        open_log("postgresql+psycopg://localhost/x")


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"not a database, " * 500)
    with pytest.raises(StoreUnavailable, match="DatabaseError"):
        open_log(f"sqlite:///{tmp_path}/log.db")
