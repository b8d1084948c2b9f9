"""One server at a time: whoever serves from a store holds it alone, until it ends in any way."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback_store.contract import StoreUnavailable
from selector.errors import WindjammerError


class StoreInUse(WindjammerError):
    """Another server works on the store: two would give one id to two decisions, and miss each other's feedback."""

    status = 503
    phrase = "Store in use"


@contextmanager
def held_alone(root: Path) -> Iterator[None]:
    """Hold the store whose spools are under `root`, a folder of this machine, itself in one that is there.

    Raises StoreInUse, or StoreUnavailable if there can be no such folder.
    """
    try:
        root.mkdir(exist_ok=True)
        lock = os.open(root / "server", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable(f"the store's folder {root.parent} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise StoreInUse(
            f"another server is running on {root.parent}; stop it, or give this one another store"
        ) from None
    try:
        yield
    finally:
        os.close(lock)
