"""One page with everything that a replay found: tables and plots, no other file needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from msgspec import json, to_builtins

from selector.errors import WindjammerError
from selector.replay import Estimate, Evaluation, InvalidLog
from serving.replaying.results import Results, errors_by_segment, hindsight, ruling

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left }
.verdict { font-size: 1.15rem; padding: .7rem 1rem; background: #eef4fb; border-left: 4px solid #2166ac }
.warning { color: #8a5300 } figure { margin: 1rem 0 } figcaption { color: #555 } svg { max-width: 100%; height: auto }
pre { background: #f6f6f6; padding: .7rem; overflow-x: auto; font-size: .8rem }
"""


class ReportUnavailable(WindjammerError):
    """What a report needs is not installed."""

    phrase = "Report unavailable"


def write(path: Path, results: Results) -> None:
    """Write the page. Raises ReportUnavailable without matplotlib, InvalidLog where the file cannot be written."""
    try:
        from serving.replaying.plots import all_plots
    except ImportError:
        raise ReportUnavailable("a report needs plots: pip install 'windjammer[report]'") from None
    figures = "".join(
        f"<figure>{drawing}<figcaption>{escape(text)}</figcaption></figure>" for text, drawing in all_plots(results)
    )
    try:
        path.write_text(_page(results, figures), encoding="utf-8")
    except OSError as error:
        raise InvalidLog(f"{path} cannot be written: {error.strerror}") from None


def _page(results: Results, figures: str) -> str:
    settings = results.settings
    title = f"Replay of {settings.log}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="verdict">{escape(results.verdict)}</p>',
        *(f"<p>gate: {escape(sentence)}</p>" for sentence in (ruling(results.gate) if results.gate else ())),
        *_warnings(results),
        "<h2>Estimates</h2>",
        _estimates(results.whole),
        *(["<h2>From single choices</h2>", _estimates(results.partial)] if results.partial is not None else []),
        *(["<h2>What came of them</h2>", _outcomes(results)] if results.outcomes else []),
        *_segments(results),
        "<h2>Plots</h2>",
        figures,
        *(f"<h2>{escape(f'{settings.by} {name}')}</h2>{_estimates(each)}" for name, each in results.segments.items()),
        *([f"<p>and {results.smaller} smaller segments</p>"] if results.smaller else []),
        "<h2>To get the same again</h2>",
        f"<pre>{escape(json.format(json.encode(to_builtins(settings))).decode())}</pre>",
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _warnings(results: Results) -> Iterable[str]:
    said: dict[str, dict[str, None]] = {}
    for row in [*results.whole, *(results.partial or ())]:
        for warning in row.warnings:
            said.setdefault(warning, {})[row.candidate] = None
    for warning, candidates in said.items():
        yield f'<p class="warning">{escape(", ".join(candidates))}: {escape(warning)}</p>'


def _estimates(evaluation: Evaluation) -> str:
    names = ("candidate", "estimator", "value", "low", "high", "interval", "any-time low", "any-time high", "ESS")
    return _table(names, [_cells(row) for row in [*evaluation, evaluation.logged]])


def _cells(row: Estimate) -> list[str]:
    numbers = [f"{x:.6f}" for x in (row.value, row.low, row.high)]
    always = [f"{row.anytime_low:.4f}", f"{row.anytime_high:.4f}"]
    return [row.candidate, row.estimator, *numbers, row.interval, *always, f"{row.effective_sample_size:,.0f}"]


def _outcomes(results: Results) -> str:
    numbers = ("error", "regret", "models asked", "cost", "ms", "95% ms", "sure", "default", "not told")
    rows = [
        [
            name,
            o.state or "",
            f"{1 - o.reward:.4f}",
            "" if o.regret is None else f"{o.regret:.4f}",
            f"{o.models_asked:.2f}",
            f"{o.cost:.4g}",
            *(("", "") if o.latency_ms is None else (f"{ms:.1f}" for ms in o.latency_ms)),
            *(f"{x:.1%}" for x in (o.sure, o.default, o.unknown)),
        ]
        for name, o in results.outcomes.items()
    ]
    n = results.settings.decisions
    rows += [
        [name, "", f"{1 - mean.reward:.4f}", *[""] * 7, f"{1 - mean.decisions / n:.1%}"]
        for name, mean in hindsight(results).items()
    ]
    return _table(("policy", "state", *numbers), rows)


def _segments(results: Results) -> Iterable[str]:
    policies = list(results.outcomes)
    if not any(outcome.segments for outcome in results.outcomes.values()):
        return
    rows, smaller = errors_by_segment(results, policies)
    yield f"<h2>Errors by segment</h2>{_table(('segment', 'decisions', *policies), rows)}"
    if smaller:
        yield f"<p>and {smaller} smaller segments</p>"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
