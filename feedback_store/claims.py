"""Who owns a folder of one process: the living process that holds its lock, else whoever takes the lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

_OWNER = "owner"


class Claim:
    """A folder that is this process's until `release`, or until the process ends in any way."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    def release(self) -> None:
        """Give the folder up; if nothing is left in it, remove it."""
        with _alone(self.folder.parent):
            if os.listdir(self.folder) == [_OWNER]:
                (self.folder / _OWNER).unlink()
                self.folder.rmdir()
            os.close(self._lock)


def claim_new(root: Path) -> Claim:
    """A new folder under `root`, claimed."""
    with _alone(root):
        folder = Path(mkdtemp(dir=root, prefix=""))
        claim = _claim(folder)
    assert claim is not None, "nobody else knows a folder just made"
    return claim


def claim_abandoned(root: Path) -> list[Claim]:
    """The folders under `root` whose owners are dead, claimed."""
    with _alone(root):
        folders = sorted(path for path in root.iterdir() if path.is_dir())
        return [claim for folder in folders if (claim := _claim(folder)) is not None]


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Nobody else claims meanwhile: a folder is made and claimed in one step."""
    root.mkdir(parents=True, exist_ok=True)
    lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _claim(folder: Path) -> Claim | None:
    lock = os.open(folder / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return Claim(folder, lock)
