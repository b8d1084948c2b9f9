"""`windjammer demo`: the whole loop on handwritten digits, end to end, and what is claimed of it checked.

Imported by the workers too, which load three of its models: so it imports nothing by itself.
"""

from __future__ import annotations

from pathlib import Path


def run(
    queries: int = 5000, seed: int = 0, port: int | None = None, folder: Path | None = None, serve: bool = False
) -> int:
    """Show everything on the console; 0 if all that is claimed holds, else 1.

    `queries` for each of the six applications. `port` is any free one if None. `folder` must be empty or new; if
    None, a temporary one, removed at the end unless `serve`. With `serve` the server stays up until interrupted.
    Raises WindjammerError when the demonstration cannot go on.
    """
    from serving.demo.demonstration import Settings, demonstrate

    return demonstrate(Settings(queries, seed, port, folder, serve))
