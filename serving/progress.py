"""Bars that say how far a command has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn


@contextmanager
def progress(*steps: str, shown: bool = True) -> Iterator[Sequence[Callable[[float], None]]]:
    """A bar on stderr for each step, with the time that is left; each hears shares from 0 to 1."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as bars:
        yield [partial(_advance, bars, bars.add_task(step, total=1.0)) for step in steps]


def _advance(bars: Progress, task: TaskID, share: float) -> None:
    bars.update(task, completed=share)
