"""The figures of a demonstration as tables, and its claims in words."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from serving.demo.claims import Claim
from serving.demo.configuration import CASCADE, SUCCESSORS
from serving.demo.costs import mean_cost, reported
from serving.demo.evidence import Evidence
from serving.demo.outcomes import (
    STAGES,
    Outcome,
    answer_error,
    default_share,
    model_error,
    quantile,
    share,
    sure_error,
    sure_share,
)


def print_report(console: Console, evidence: Evidence, claims: Sequence[Claim]) -> None:
    """Print all tables, and what was checked."""
    for table in (_models(evidence), _policies(evidence), _trust(evidence, "as published", list(SUCCESSORS))):
        console.print(table)
    console.print(_trust(evidence, "as recommended today", list(SUCCESSORS.values())))
    console.print(_progress(evidence))
    console.print(_thrift(evidence))
    console.print(_rate(evidence), highlight=False)
    console.print("\n[bold]What was checked[/bold]")
    for claim in claims:
        mark = "[green]holds[/green]" if claim.holds else "[red]FAILS[/red]"
        console.print(f"  {mark}  {escape(claim.sentence)}: {escape(claim.figures)}", highlight=False, soft_wrap=True)


def _models(evidence: Evidence) -> Table:
    table = _table("Models: wrong predictions before, during and after the failure")
    for name in ("model", "runtime", "trained in", *STAGES, "overall", "mean batch"):
        table.add_column(name, justify="left" if name in ("model", "runtime") else "right")
    for trained in evidence.trained:
        errors = [str(model_error(evidence.judged(stage), trained.model)) for stage in (*STAGES, None)]
        batch = evidence.batches.get(trained.model)
        mean_batch = "-" if batch is None else f"{batch:.1f}"
        table.add_row(trained.model, trained.runtime, f"{trained.seconds:.1f} s", *errors, mean_batch)
    return table


def _policies(evidence: Evidence) -> Table:
    table = _table("Policies: wrong answers (default outputs aside), latency of predict")
    for name in ("policy", "stage", "wrong", "sure", "wrong if sure", "default", "p50 ms", "p99 ms"):
        table.add_column(name, justify="left" if name in ("policy", "stage") else "right")
    for application, policy in evidence.policies.items():
        for stage in STAGES:
            outcomes = evidence.journal.of(stage, application)
            table.add_row(policy if stage == STAGES[0] else "", stage, *_measures(outcomes))
        table.add_section()
    return table


def _measures(outcomes: list[Outcome]) -> list[str]:
    shares = [measure(outcomes) for measure in (answer_error, sure_share, sure_error, default_share)]
    seconds = [outcome.seconds for outcome in outcomes if outcome.repeats == 0]
    return [*map(str, shares), *(f"{quantile(seconds, q) * 1e3:.1f}" for q in (0.5, 0.99))]


def _trust(evidence: Evidence, which: str, policies: Sequence[str]) -> Table:
    table = _table(f"Trust, {which}: each model's weight at the end of a stage")
    table.add_column("model")
    learning = [application for application, policy in evidence.policies.items() if policy in policies]
    for application in learning:
        for stage in STAGES:
            table.add_column(f"{evidence.policies[application]}\n{stage}", justify="right")
    for trained in evidence.trained:
        weights = [evidence.weights[stage][application] for application in learning for stage in STAGES]
        table.add_row(trained.model, *(f"{weight[trained.model]:.3f}" for weight in weights))
    return table


def _progress(evidence: Evidence) -> Table:
    """Wrong answers by the published rules, beside those by what is recommended today."""
    table = _table("As published, and as recommended today: wrong answers")
    for name in ("asks", "policy", *STAGES, "overall"):
        table.add_column(name, justify="left" if name in ("asks", "policy") else "right")
    applications = {policy: application for application, policy in evidence.policies.items()}
    for asks, pair in zip(("one model", "all models"), SUCCESSORS.items(), strict=True):
        for policy, state in zip(pair, ("as published", "today"), strict=True):
            stages = (*STAGES, None)
            errors = [str(answer_error(evidence.journal.of(stage, applications[policy]))) for stage in stages]
            table.add_row(asks if policy in SUCCESSORS else "", f"{policy}, {state}", *errors)
        table.add_section()
    return table


def _thrift(evidence: Evidence) -> Table:
    """Whom the cascade asked, and what that took."""
    table = _table("Cascade: share of answers for which a model was asked, and its cost in blocks")
    for name in ("model", *STAGES, "overall", "costs", "least", "most"):
        table.add_column(name, justify="left" if name == "model" else "right")
    application = next(application for application, policy in evidence.policies.items() if policy == "cascade")
    stages = [evidence.journal.of(stage, application) for stage in (*STAGES, None)]
    for model in (f"{name}:1" for name in CASCADE):
        took = reported(stages[-1], model) or [evidence.prices[model]]
        costs = (f"{value:.2f}" for value in (fmean(took), min(took), max(took)))
        table.add_row(model, *(str(share(model in o.models for o in outcomes)) for outcomes in stages), *costs)
    table.add_section()
    table.add_row("an answer", *(f"{mean_cost(outcomes, evidence.prices):.2f}" for outcomes in stages))
    return table


def _rate(evidence: Evidence) -> str:
    requests, seconds = 2 * len(evidence.journal.outcomes), sum(evidence.seconds.values())
    return f"{requests:,} requests (predict and observe) in {seconds:.1f} s: {requests / seconds:,.0f} requests/s"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
