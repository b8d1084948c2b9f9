"""Results on the terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import PurePath
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from selector.replay import Difference, Estimate, Evaluation
from selector.replay.contender import LOGGED
from serving.replaying.results import Results, errors_by_segment, hindsight, ruling

_MANY = 4  # candidates from which only the default estimator of each is shown, and only the leader's differences
_UNBROKEN = ("value", "low", "high", "interval", "ESS", "max w")  # columns whose cells stay on one line


def show(results: Results) -> None:
    """Print tables, warnings once each, and the verdict."""
    console = Console()
    settings = results.settings
    title, many = f"{PurePath(settings.log).name}: {settings.decisions:,} decisions", len(results.whole.best) > _MANY
    console.print(_estimates(results.whole, title, short=many))
    for name, evaluation in results.segments.items():
        cut = f"{settings.by} {name}: {evaluation.logged.decisions:,} decisions"
        console.print(_estimates(evaluation, cut, short=True))
    if results.smaller:
        console.print(f"[dim]and {results.smaller} smaller segments[/dim]")
    if results.outcomes:
        console.print(_outcomes(results))
    if any(outcome.segments for outcome in results.outcomes.values()):
        console.print(_segments(results))
    if results.partial is not None:
        console.print(_estimates(results.partial, "estimates from single choices", short=many))
    if len(results.whole.differences) > 1:
        console.print(_differences(results.whole, settings.confidence))
    for warning, rows in (_warnings(results.whole) | _warnings(results.partial)).items():
        console.print(f"[yellow]![/yellow] {escape(', '.join(rows))}: {escape(warning)}")
    console.print(f"[bold]{escape(results.verdict)}[/bold]")
    for sentence in ruling(results.gate) if results.gate else ():
        console.print(f"gate: {escape(sentence)}")
    when = "" if settings.first is None else f"{settings.first} to {settings.last}, "
    told = f"{when}seed {settings.seed}, confidence {settings.confidence:g}, windjammer {settings.version}"
    console.print(f"[dim]{told}[/dim]")


def _estimates(evaluation: Evaluation, title: str, *, short: bool = False) -> Table:
    names = ("candidate", "estimator", "value", "low", "high", "interval", "ESS", "max w")
    rows = [_cells(row) for row in (evaluation.best if short else evaluation)]
    logged = _cells(evaluation.logged)[:7]
    return _table(title, names, rows, [logged], spare=("estimator", "interval", "ESS", "max w"))


def _cells(row: Estimate) -> list[str]:
    numbers = (f"{x:.6f}" for x in (row.value, row.low, row.high))
    size = f"{row.effective_sample_size:,.0f}"
    return [row.candidate, row.estimator, *numbers, row.interval, size, f"{row.largest_weight:.3g}"]


def _outcomes(results: Results) -> Table:
    rows = [
        [
            name,
            *(f"{1 - o.reward:.4f}", "" if o.regret is None else f"{o.regret:.4f}"),
            *(f"{o.models_asked:.2f}", f"{o.cost:.4g}"),
            "" if o.latency_ms is None else f"{o.latency_ms[0]:.1f}",
            *(f"{share:.1%}" for share in (o.sure, o.default, o.unknown)),
        ]
        for name, o in results.outcomes.items()
    ]
    n = results.settings.decisions
    last = [
        [name, f"{1 - mean.reward:.4f}", *[""] * 6, f"{1 - mean.decisions / n:.1%}"]
        for name, mean in hindsight(results).items()
    ]
    names = ("policy", "error", "regret", "models asked", "cost", "ms", "sure", "default", "not told")
    return _table("what came of them, a decision", names, rows, last, spare=("regret", "ms", "sure", "default"))


def _segments(results: Results) -> Table:
    """Of two policies only where there are many: the logged one and the best."""
    policies = list(results.outcomes)
    if len(policies) > _MANY + 1:
        policies = [LOGGED, max(policies[1:], key=lambda name: results.outcomes[name].reward)]
    rows, smaller = errors_by_segment(results, policies)
    table = _table("errors by segment", ("segment", "decisions", *policies), rows)
    if smaller:
        table.caption = f"and {smaller} smaller segments"
    return table


def _table(
    title: str,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    last: Sequence[Sequence[str]] = (),
    spare: Collection[str] = (),
) -> Table:
    """Rows, and the `last` apart from them. A `spare` column that says the same of all rows is told below them."""
    told = {name: {row[j] for row in rows} for j, name in enumerate(names) if name in spare and len(rows) > 1}
    alike = {name: values.pop() for name, values in told.items() if len(values) == 1}
    table = Table(title=escape(title), box=SIMPLE_HEAD, collapse_padding=True)
    for j, name in enumerate(names):
        if name not in alike:
            side: Literal["left", "right"] = "left" if j == 0 else "right"
            table.add_column(escape(name), justify=side, overflow="fold", no_wrap=name in _UNBROKEN)
    for section in (rows, last):
        for row in section:
            table.add_row(*(escape(cell) for name, cell in zip(names, row, strict=False) if name not in alike))
        table.add_section()
    if said := [f"{name} {value}" for name, value in alike.items() if value]:
        table.caption = escape(f"of all: {', '.join(said)}")
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
