"""What is asked of a replay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct


class Request(Struct, frozen=True, kw_only=True):
    """The command line: a log in a file with candidates from files, or an application with policies.

    `promote` puts these to the gate: one that beats the policy in force by `margin` is adopted, if `yes`.
    """

    config: Path
    app: str | None = None
    policy: str | None = None
    settings: Sequence[str] = ()
    grid: Sequence[str] = ()
    compare: Sequence[str] = ()
    log: Path | None = None
    map: str | None = None
    candidates: Sequence[str] = ()
    estimators: Sequence[str] = ()
    confidence: float = 0.95
    seed: int = 0
    by: str | None = None
    report: Path | None = None
    as_json: bool = False
    promote: bool = False
    margin: float = 0.0
    yes: bool = False
