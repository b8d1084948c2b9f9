"""Results on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import PurePath

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from selector.replay import Difference, Estimate, Evaluation
from serving.replaying.results import Results, ruling
from serving.replaying.tables import Advance

_MANY = 4  # candidates from which only the default estimator of each is shown, and only the leader's differences


@contextmanager
def progress(*steps: str, shown: bool = True) -> Iterator[Sequence[Advance]]:
    """A bar on stderr for each step, with the time that is left; each hears shares from 0 to 1."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as bars:
        yield [partial(_advance, bars, bars.add_task(step, total=1.0)) for step in steps]


def _advance(bars: Progress, task: TaskID, share: float) -> None:
    bars.update(task, completed=share)


def show(results: Results) -> None:
    """Print tables, warnings once each, and the verdict."""
    console = Console()
    settings = results.settings
    title, many = f"{PurePath(settings.log).name}: {settings.decisions:,} decisions", len(results.whole.best) > _MANY
    console.print(_estimates(results.whole, title, short=many))
    for name, evaluation in results.segments.items():
        console.print(_estimates(evaluation, f"{name}: {evaluation.logged.decisions:,} decisions", short=True))
    if results.outcomes:
        console.print(_outcomes(results))
    if results.partial is not None:
        console.print(_estimates(results.partial, "estimates from single choices", short=many))
    if len(results.whole.differences) > 1:
        console.print(_differences(results.whole, settings.confidence))
    for warning, rows in (_warnings(results.whole) | _warnings(results.partial)).items():
        console.print(f"[yellow]![/yellow] {escape(', '.join(rows))}: {escape(warning)}")
    console.print(f"[bold]{escape(results.verdict)}[/bold]")
    for sentence in ruling(results.gate) if results.gate else ():
        console.print(f"gate: {escape(sentence)}")
    console.print(f"[dim]seed {settings.seed}, confidence {settings.confidence:g}, windjammer {settings.version}[/dim]")


def _estimates(evaluation: Evaluation, title: str, *, short: bool = False) -> Table:
    table = Table("candidate", "estimator", title=escape(title), box=SIMPLE_HEAD, collapse_padding=True)
    for name in ("value", "low", "high", "interval", "ESS", "max w"):
        table.add_column(name, no_wrap=True, justify="right")
    for row in evaluation.best if short else evaluation:
        table.add_row(*_cells(row))
    table.add_section()
    table.add_row(*_cells(evaluation.logged)[:7])
    return table


def _cells(row: Estimate) -> list[str]:
    numbers = (f"{x:.6f}" for x in (row.value, row.low, row.high))
    size = f"{row.effective_sample_size:,.0f}"
    return [escape(row.candidate), row.estimator, *numbers, row.interval, size, f"{row.largest_weight:.3g}"]


def _outcomes(results: Results) -> Table:
    title = "what came of them, a decision"
    table = Table("policy", title=title, box=SIMPLE_HEAD, collapse_padding=True)
    timed = any(o.latency_ms is not None for o in results.outcomes.values())
    for name in ("error", "regret", "models asked", "cost", *(["ms"] if timed else []), "sure", "default", "not told"):
        table.add_column(name, justify="right")
    for name, o in results.outcomes.items():
        shares = (f"{share:.1%}" for share in (o.sure, o.default, o.unknown))
        numbers = (f"{1 - o.reward:.4f}", f"{o.regret:.4f}", f"{o.models_asked:.2f}", f"{o.cost:.4g}")
        times = ["" if o.latency_ms is None else f"{o.latency_ms[0]:.1f}"] if timed else []
        table.add_row(escape(name), *numbers, *times, *shares)
    table.add_section()
    for name, reward in results.models.items():
        table.add_row(escape(f"{name} alone"), f"{1 - reward:.4f}")
    if results.oracle is not None:
        table.add_row("the best of them each time", f"{1 - results.oracle:.4f}")
    return table


def _differences(evaluation: Evaluation, confidence: float) -> Table:
    title = f"differences, all with {confidence:.0%} confidence at once"
    table = Table("better", "worse", "by", "low", "high", title=title, box=SIMPLE_HEAD, collapse_padding=True)
    shown: Sequence[Difference] = evaluation.differences
    if len(evaluation.best) > _MANY:  # those of the one that leads
        leader = next(iter(shown)).better
        shown = [d for d in shown if leader in (d.better, d.worse)]
    for d in shown:
        style = None if d.low > 0 else "dim"
        table.add_row(escape(d.better), escape(d.worse), f"{d.value:.6f}", f"{d.low:.6f}", f"{d.high:.6f}", style=style)
    return table


def _warnings(evaluation: Evaluation | None) -> dict[str, list[str]]:
    """By what is said: of whom, a candidate where it is true of all its estimates."""
    said: dict[str, list[str]] = {}
    for row in evaluation or ():
        for warning in row.warnings:
            known = said.setdefault(warning, [])
            if row.candidate not in known:
                known.append(row.candidate)
    return said
