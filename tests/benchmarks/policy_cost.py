"""What a policy costs: microseconds of select, combine and observe for each query, beside river's policies."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from random import Random
from time import process_time_ns
from typing import Any, NamedTuple, get_args

import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from selector import UCB1, AnyPolicy, Ensemble, EpsilonGreedy, Exp3, Exp4, Thompson, TrackAndStop
from selector.decisions import Decision, Feedback, Prediction, Query, Selection
from selector.losses import ZeroOne, losses_of
from selector.policy import Policy, Predictions
from tests.selector.worlds import SETTINGS

HELP = """\
Every policy there is, as it ships, and some with other settings. A query is what a server does for one: select until
the policy has enough, combine, and observe the losses that a label tells of the models that were asked. Queries are
nobody's; where it makes a difference to everyone's state whose they are, there is a row for those of one user, too.
A policy of river pulls an arm and is updated with its reward: it keeps no probability, and feedback must not be late.

The same queries are run several times, in blocks, ours and river's in turn, in CPU time. Of each block the fastest run
counts, so that noise of the machine does not; what is shown is the mean over blocks, so that work which is done
only now and then (Thompson's table, Vowpal's saves) does. Most of that falls on the first queries, which these are.
Exits with 1 when a bound does not hold, as it may where the processor is shared.

  python -m tests.benchmarks.policy_cost
  python -m tests.benchmarks.policy_cost --models 5 --policy exp3 --policy exp4"""

BLOCK = 50
BOUNDS = {("exp3", 5): 4.0, ("exp4", 5): 6.0, ("ensemble", 5): 70.0}  # microseconds of a query that is nobody's
VARIANTS: tuple[Policy[Any], ...] = (
    *(kind(unasked=False, restart="none") for kind in (EpsilonGreedy, UCB1, TrackAndStop)),
    Thompson(unasked=False, restart="none", exploration=0, probing=0),
    Exp3(share=0),
    Exp4(share=0, restart="none"),
    Exp4(share=0.01, restart="cusum"),
)

Costs = tuple[float, ...]
Course = Callable[[], Costs]


class Row(NamedTuple):
    """A policy's costs in microseconds a query, and river's: select, combine and observe; what its state takes."""

    policy: Policy[Any]
    user: str | None
    costs: Costs
    peer: Costs | None
    size: int


class Ours:
    """A policy at work: each call is a block of queries, timed in nanoseconds: select, combine, observe."""

    def __init__(self, policy: Policy[Any], models: int, user: str | None) -> None:
        self.policy, self.user, self.rng, self.start = policy, user, Random(1), 0
        self.names = ("cnn:1", *(f"model{i:03}:1" for i in range(1, models)))
        self.state = policy.initial_state(self.names)

    def __call__(self) -> Costs:
        policy = self.policy
        said = [{m: Prediction(output, score=0.5) for m, output in row.items()} for row in self._outputs()]
        queries = [Query(self.start + i, self.names, self.user, {"length": i % 7}) for i in range(BLOCK)]
        self.start += BLOCK
        selections, predictions, selecting = self._ask(queries, said)
        begin = process_time_ns()
        answers = [
            policy.combine(self.state, query, chosen, given)
            for query, chosen, given in zip(queries, selections, predictions, strict=True)
        ]
        combining = process_time_ns() - begin
        decisions = [
            Decision("", query, 0.0, policy.name, tuple(chosen), given, answer)
            for query, chosen, given, answer in zip(queries, selections, predictions, answers, strict=True)
        ]
        told = [(decision, losses_of(decision, Feedback((0,), 0), ZeroOne())) for decision in decisions]
        begin = process_time_ns()
        for decision, losses in told:
            self.state = policy.observe(self.state, decision, losses)
        return selecting, combining, process_time_ns() - begin

    def _outputs(self) -> list[dict[str, int]]:
        """Each model is wrong more often than the one before: from .1 to .5. The label is always 0."""
        rates = error_rates(len(self.names))
        return [
            {name: int(self.rng.random() < rate) for name, rate in zip(self.names, rates, strict=True)}
            for _ in range(BLOCK)
        ]

    def _ask(
        self, queries: Sequence[Query], said: Sequence[Predictions]
    ) -> tuple[list[list[Selection]], list[dict[str, Prediction]], int]:
        """Round by round, all queries of the block in each, so that reading the clock costs nothing."""
        selections: list[list[Selection]] = [[] for _ in queries]
        predictions: list[dict[str, Prediction]] = [{} for _ in queries]
        spent, open_ = 0, list(range(len(queries)))
        while open_:
            asked = [(queries[i], selections[i], predictions[i]) for i in open_]
            begin = process_time_ns()
            chosen = [self.policy.select(self.state, query, had, given, self.rng) for query, had, given in asked]
            spent += process_time_ns() - begin
            for i, selection in zip(open_, chosen, strict=True):
                if selection is not None:
                    selections[i].append(selection)
                    predictions[i].update({m: said[i][m] for m in selection.models})
            open_ = [i for i, selection in zip(open_, chosen, strict=True) if selection is not None]
        return selections, predictions, spent


class Rivers:
    """The same with a policy of river; it has nothing to combine."""

    def __init__(self, policy: Any, models: int) -> None:
        self.policy, self.rng, self.arms = policy, Random(1), list(range(models))
        self.rates = error_rates(models)

    def __call__(self) -> Costs:
        begin = process_time_ns()
        pulled = [self.policy.pull(self.arms) for _ in range(BLOCK)]
        selecting = process_time_ns() - begin
        rewards = [self.rng.random() >= self.rates[arm] for arm in pulled]
        begin = process_time_ns()
        for arm, reward in zip(pulled, rewards, strict=True):
            self.policy.update(arm, reward)
        return selecting, 0, process_time_ns() - begin


def error_rates(models: int) -> list[float]:
    """From .1 to .5."""
    return [0.1 + 0.4 * i / models for i in range(models)]


def peers() -> dict[str, Callable[[], Any]]:
    """The policies of river that do what ours of this name do. Ends the program where river is missing."""
    try:
        from river import bandit, proba
    except ImportError:
        sys.exit("river is missing, which this compares with: pip install --editable '.[test]'")
    return {
        "epsilon_greedy": lambda: bandit.EpsilonGreedy(epsilon=0.1, seed=1),
        "ucb1": lambda: bandit.UCB(delta=1.0, seed=1),
        "thompson": lambda: bandit.ThompsonSampling(reward_obj=proba.Beta(), seed=1),
        "exp3": lambda: bandit.Exp3(gamma=0.1, seed=1),
    }


def measure(
    policy: Policy[Any], user: str | None, peer: Callable[[], Any] | None, models: int, queries: int, runs: int
) -> Row:
    """The fastest run of each block, and the mean over blocks."""
    ours, theirs = [], []
    size = 0
    for _ in range(runs):
        course, other = Ours(policy, models, user), Rivers(peer(), models) if peer else None
        blocks = [(course(), other() if other else ()) for _ in range(queries // BLOCK)]
        ours.append([block[0] for block in blocks])
        theirs.append([block[1] for block in blocks])
        size = len(policy.encode(course.state))
    return Row(policy, user, _fastest(ours), _fastest(theirs) if peer else None, size)


def _fastest(runs: Sequence[Sequence[Costs]]) -> Costs:
    blocks = [[min(part) for part in zip(*same, strict=True)] for same in zip(*runs, strict=True)]
    return tuple(sum(part) / len(blocks) / BLOCK / 1e3 for part in zip(*blocks, strict=True))


def policies(names: Sequence[str]) -> list[Policy[Any]]:
    """All that there are, in their defaults and then in others; of these names, if any are given."""
    defaults = [kind(**SETTINGS.get(kind.__struct_config__.tag, {})) for kind in get_args(AnyPolicy)]
    variants = [variant for variant in VARIANTS if variant not in defaults]
    chosen = [policy for policy in [*defaults, *variants] if not names or policy.name in names]
    return sorted(chosen, key=lambda policy: policy.name)


def users(policy: Policy[Any]) -> tuple[str | None, ...]:
    """Whose queries it is measured with."""
    return (None, "ann") if policy.contextual or isinstance(policy, Ensemble) else (None,)


def settings(policy: Policy[Any]) -> str:
    """What is not as it ships."""
    default = type(policy)(**SETTINGS.get(policy.name, {}))
    changed = [f for f in policy.__struct_fields__ if getattr(policy, f) != getattr(default, f)]
    return ", ".join(f"{field} {msgspec.to_builtins(getattr(policy, field))}" for field in changed)


def table(rows: Sequence[Row], models: int) -> tuple[Table, bool]:
    """The rows, and whether their bounds hold."""
    columns = ("policy", "select", "combine", "observe", "sum", "at most", "river's", "ours / river's", "state bytes")
    shown, held = Table(*columns, title=f"{models} models: microseconds a query"), True
    for policy, user, costs, peer, size in rows:
        special, total = "a user's" if user else settings(policy), sum(costs)
        bound = None if special else BOUNDS.get((policy.name, models))
        held = held and (bound is None or total <= bound)
        shown.add_row(
            f"{policy.name} ({special})" if special else policy.name,
            *(f"{cost:.2f}" for cost in (*costs, total)),
            f"{bound:.0f}: {'yes' if total <= bound else 'no'}" if bound else "",
            *((f"{sum(peer):.2f}", f"{total / sum(peer):.2f}") if peer else ("", "")),
            f"{size:,}",
        )
    return shown, held


def main() -> int:
    """Measure, print, and say whether the bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=HELP, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=int, nargs="+", default=[2, 5, 10, 100], help="(default: 2 5 10 100)")
    parser.add_argument("--queries", type=int, default=1_000, help="in one run, each with feedback (default: 1,000)")
    parser.add_argument("--runs", type=int, default=5, help="of which each block's fastest counts (default: 5)")
    parser.add_argument("--policy", action="append", default=[], metavar="NAME", help="instead of all; may be repeated")
    options = parser.parse_args()
    rivers, console, held = peers(), Console(width=150), True
    courses = [(policy, user) for policy in policies(options.policy) for user in users(policy)]
    gc.disable()  # the benchmark's own lists would set it off within what is timed
    for models in options.models:
        bar = track(courses, f"{models} models", console=Console(stderr=True), transient=True)
        rows = [measure(p, user, rivers.get(p.name), models, options.queries, options.runs) for p, user in bar]
        shown, holds = table(rows, models)
        console.print(shown)
        held = held and holds
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
