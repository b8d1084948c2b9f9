"""The figures of a demonstration as tables, and its claims in words."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from serving.demo.claims import Claim
from serving.demo.evidence import Evidence
from serving.demo.outcomes import STAGES, answer_error, default_share, model_error, quantile


def print_report(console: Console, evidence: Evidence, claims: Sequence[Claim]) -> None:
    """Print all tables, and what was checked."""
    for table in (_models(evidence), _policies(evidence), _trust(evidence)):
        console.print(table)
        console.print()
    console.print(_rate(evidence), highlight=False)
    console.print("\n[bold]What was checked[/bold]")
    for claim in claims:
        mark = "[green]holds [/green]" if claim.holds else "[red]FAILS [/red]"
        console.print(f"  {mark} {claim.sentence}: {claim.figures}", highlight=False)


def _models(evidence: Evidence) -> Table:
    table = _table(
        "Models: share of wrong predictions", "model", "runtime", "trained in", *STAGES, "overall", "mean batch"
    )
    for trained in sorted(
        evidence.trained, key=lambda trained: model_error(evidence.judged("before"), trained.model).value
    ):
        errors = [str(model_error(evidence.judged(stage), trained.model)) for stage in (*STAGES, None)]
        batch = evidence.batches.get(trained.model)
        name = f"{trained.model} [red](fails)[/red]" if trained.model == evidence.best else trained.model
        table.add_row(
            name, trained.runtime, f"{trained.seconds:.1f} s", *errors, "-" if batch is None else f"{batch:.1f}"
        )
    return table


def _policies(evidence: Evidence) -> Table:
    defaults = [f"default {stage}" for stage in STAGES]
    table = _table(
        "Policies: share of wrong answers (default outputs aside), share of default outputs, latency of predict",
        *("application", "policy", *STAGES, *defaults, "p50", "p99"),
    )
    journal = evidence.journal
    for application, policy in evidence.policies.items():
        errors = [str(answer_error(journal.of(stage, application))) for stage in STAGES]
        shares = [str(default_share(journal.of(stage, application))) for stage in STAGES]
        seconds = [outcome.seconds for outcome in journal.of(application=application) if outcome.repeats == 0]
        latencies = [f"{quantile(seconds, q) * 1e3:.1f} ms" for q in (0.5, 0.99)]
        table.add_row(application, policy, *errors, *shares, *latencies)
    return table


def _trust(evidence: Evidence) -> Table:
    learning = [application for application, policy in evidence.policies.items() if policy != "majority_vote"]
    columns = [f"{evidence.policies[application]} {stage}" for application in learning for stage in STAGES]
    table = _table("Trust: each model's weight at the end of the stage", "model", *columns)
    for trained in evidence.trained:
        model = trained.model
        weights = [evidence.weights[stage][application][model] for application in learning for stage in STAGES]
        table.add_row(model, *(f"{weight:.3f}" for weight in weights))
    return table


def _rate(evidence: Evidence) -> str:
    requests, seconds = 2 * len(evidence.journal.outcomes), sum(evidence.seconds.values())
    return f"{requests:,} requests (predict and observe) in {seconds:.1f} s: {requests / seconds:,.0f} requests/s"


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="left" if name in ("policy", "runtime") else "right")
    return table
