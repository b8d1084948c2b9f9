"""Where the sockets of supervisors and workers live: private folders, swept when their owners are dead."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback_store.claims import Claim, claim_abandoned, claim_new

SOCKETS = "s"  # short: the path of a Unix socket may have 107 bytes


@contextmanager
def socket_folder() -> Iterator[Path]:
    """A folder of this process alone, gone at the end.

    What killed servers of this user left behind is removed on the way. Raises OSError if another
    user has taken the place.
    """
    root = Path(tempfile.gettempdir(), f"windjammer-{os.getuid()}")
    root.mkdir(mode=0o700, exist_ok=True)
    status = root.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{root} is open to other users; remove it, or set TMPDIR")
    for abandoned in claim_abandoned(root):
        _give_up(abandoned)
    claim = claim_new(root)
    try:
        sockets = claim.folder / SOCKETS
        sockets.mkdir(mode=0o700)
        yield sockets
    finally:
        _give_up(claim)


def _give_up(claim: Claim) -> None:
    shutil.rmtree(claim.folder / SOCKETS, ignore_errors=True)
    claim.release()
