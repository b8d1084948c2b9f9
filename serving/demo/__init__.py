"""`windjammer demo`: the whole loop on handwritten digits, end to end, and what is claimed of it checked.

Imported by the workers too, which load three of its models: so it imports next to nothing by itself.
"""

from __future__ import annotations

from pathlib import Path

from selector.errors import InvalidSetting

INSTALL = "pip install '.[demo]'"


def run(
    queries: int = 5000, seed: int = 0, port: int | None = None, folder: Path | None = None, serve: bool = False
) -> int:
    """Show everything on the console; 0 if all that is claimed holds, else 1.

    `queries` for each of the six applications. `port` is any free one if None. `folder` must be empty or new; if
    None, a temporary one, removed at the end unless `serve`. With `serve` the server stays up until interrupted.
    Raises WindjammerError when the demonstration cannot go on.
    """
    try:
        from serving.demo.demonstration import Settings, demonstrate
    except ModuleNotFoundError as error:
        raise InvalidSetting(f"the demo needs more than is installed ({error.name}): {INSTALL}") from None

    return demonstrate(Settings(queries, seed, port, folder, serve))
