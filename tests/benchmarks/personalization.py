"""What a state for every user is worth: beside one state for all, and beside states that know nothing of each other."""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

from selector import Ensemble, Exp4, Thompson
from selector.decisions import Entry, Event, Feedback, ModelsChanged, Query
from selector.fold import Fold
from selector.learner import Learner
from selector.losses import ZeroOne
from selector.policy import Policy
from selector.population import Population
from tests.benchmarks.model_failure import decide
from tests.benchmarks.people import SETS, Visit, load, streamed

HELP = """\
Users in random order; each answer is given before its label is learned from. Errors by how many feedbacks the user had
given before, and overall: of one state for all (global), of a state for each user alone (isolated), of both met
(blend). `strength` is how many of a user's feedbacks everyone's state counts for, as learned by the end of the stream.
With "shuffled", inputs are given to random users, so that users do not differ and personalization can only do harm.

audiomnist: four commercial APIs, nothing trained here. wisdm: four random forests, each trained on 40% of the
windows of a quarter of the users; the rest of everybody's is streamed. timit: eight logistic regressions, each
trained on half of the speakers of one dialect; the other speakers are streamed."""

POLICIES: dict[str, tuple[Policy[Any], float]] = {
    "exp4": (Exp4(restart="cusum", share=0.01), 0.0),
    "ensemble": (Ensemble(), 0.0),
    "thompson, 5% shadow": (Thompson(), 0.05),
}
"""With the share of queries whose label scores all models, if the policy asks one."""

MODES = ("global", "isolated", "blend")
BINS = {"0": range(1), "1-2": range(1, 3), "6-10": range(6, 11), "25-35": range(25, 36)}

Wrong = dict[tuple[str, str], list[int]]
"""By mode and bin: [wrong answers, answers]."""


def run(visits: Sequence[Visit], policy: str, shuffle_users: bool, seed: int) -> tuple[Wrong, float]:
    """One stream, in the three modes; and the strength at its end."""
    stream = streamed(visits, seed, shuffle_users)
    wrong: Wrong = defaultdict(lambda: [0, 0])
    fold = Fold(policy=POLICIES[policy][0], loss=ZeroOne())
    strength = 0.0
    for mode in MODES:
        population = fold.everyone()
        for heard, is_wrong in _play(stream, fold, population, POLICIES[policy][1], mode, seed):
            for name in ["overall", *(name for name, bin_ in BINS.items() if heard in bin_)]:
                wrong[mode, name][0] += is_wrong
                wrong[mode, name][1] += 1
        strength = population.differences.strength
    return dict(wrong), strength


def _play(
    stream: Sequence[Visit], fold: Fold, population: Population, shadow: float, mode: str, seed: int
) -> Iterator[tuple[int, bool]]:
    """For each visit: feedbacks of the user so far, and whether the answer was wrong."""
    policy, rng, heard = fold.policy, Random(seed), Counter[str]()
    models = tuple(sorted(stream[0].predictions))
    begin = Entry(1, "", None, 0.0, ModelsChanged(models))
    population.fold(begin)
    users: dict[str, Learner] = {}
    states: dict[str, Callable[[Learner], Any]] = {
        "global": lambda _: population.state,
        "isolated": lambda own: own.state,
        "blend": population.met if policy.per_user else lambda _: population.state,
    }
    for position, visit in enumerate(stream, 2):
        if visit.user not in users:
            own = fold.one() if mode == "blend" else Learner(policy, fold.loss)
            users[visit.user] = own.fold_all([begin])
        own = users[visit.user]
        query = Query(position, models, visit.user)
        decision = decide(policy, states[mode](own), query, visit.predictions, rng)
        yield heard[visit.user], decision.answer.output != visit.label
        heard[visit.user] += 1
        joined = visit.predictions if rng.random() < shadow else {}
        event: Event = Feedback((position,), visit.label, joined=joined)
        entry = Entry(position, "", visit.user, 0.0, event, (decision,))
        population.fold(entry)
        own.fold(entry)


def main() -> None:
    """Print a table for each set."""
    parser = argparse.ArgumentParser(description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of the data")
    parser.add_argument("--sets", nargs="*", default=SETS, choices=SETS, help="instead of all")
    parser.add_argument("--policies", nargs="*", default=list(POLICIES), choices=list(POLICIES), help="instead of all")
    parser.add_argument("--shuffles", type=int, default=10, help="streams of each kind (default: 10)")
    parser.add_argument("--rows", type=int, default=30_000, help="of each stream at most")
    parser.add_argument("--processes", type=int, default=2, help="run side by side (default: 2)")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.processes) as pool:
        for name in options.sets:
            visits = Random(0).sample(everything := load(name, options.data), min(options.rows, len(everything)))
            table = Table("policy", "users", "state", *BINS, "overall", "strength", title=f"{name}: error")
            for policy, shuffle_users in product(options.policies, (False, True)):
                runs = list(pool.map(partial(run, visits, policy, shuffle_users), range(options.shuffles)))
                strengths = sorted(strength for _, strength in runs)
                for mode in MODES:
                    sums = [
                        [sum(wrong.get((mode, bin_), (0, 0))[k] for wrong, _ in runs) for k in (0, 1)]
                        for bin_ in (*BINS, "overall")
                    ]
                    errors = [f"{part / whole:.4f}" if whole else "" for part, whole in sums]
                    strength = f"{strengths[len(strengths) // 2]:.3g}" if mode == "blend" else ""
                    table.add_row(policy, "shuffled" if shuffle_users else "own", mode, *errors, strength)
                table.add_section()
            Console(width=120).print(table)


if __name__ == "__main__":
    main()
