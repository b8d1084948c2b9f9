"""A process that spools until it is killed: `child_spooling.py root segment_bytes seed`.

After each row it writes eight bytes, the row's query id, to its output.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from random import Random

from feedback_store.contract import Row
from feedback_store.spool import Spool


def main(root: str, segment_bytes: int, seed: int) -> None:
    rng = Random(seed)
    spool = Spool(Path(root), segment_bytes)
    for query in range(1, 1 << 40):
        spool.append(Row(query, "digits", None, None, bytes([query % 256]) * rng.randrange(400)))
        os.write(1, query.to_bytes(8, "little"))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
