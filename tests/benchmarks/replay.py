"""Off-policy evaluation, measured: known figures, errors over simulated logs, coverage of intervals, speed, memory."""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from selector import EpsilonGreedy, Exp3
from selector.replay import DEFAULT, ESTIMATORS, LoggedDecisions, evaluate, simulate
from selector.replay.anytime import held

Floats = NDArray[np.float64]
APIS = ("google", "facepp", "microsoft", "cnn")
EXACT = {"ips": "ipw", "snips": "snipw"}
MODELLED = {"dm": "dm", "dr": "dr", "sndr": "sndr", "switch": "switch-dr(tau=5)", "dros": "dr-os(lambda=10)"}
LOGS = 10_000  # rows of one simulated log


class Outcomes(NamedTuple):
    """What each API would have brought, the cheap one's output, and how sure it was of it."""

    rewards: Floats
    output: NDArray[Any]
    confidence: Floats


def read(path: Path) -> dict[str, NDArray[Any]]:
    """A CSV file's columns: numbers where all are, else text."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="") as file:
        names, *rows = csv.reader(file)
    return {name: _numbers(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def _numbers(column: tuple[str, ...]) -> NDArray[Any]:
    for kind in (np.int64, np.float64):
        try:
            return np.array(column).astype(kind)
        except ValueError:
            continue
    return np.array(column)


def outcomes(data: Path) -> Outcomes:
    """Of the facial-emotion APIs."""
    table = read(data / "apis_rafdb.csv.gz")
    rewards = np.column_stack([table[f"pred_{api}"] == table["label"] for api in APIS]).astype(float)
    return Outcomes(rewards, table["pred_cnn"], table["conf_cnn"])


def logging(confidence: Floats) -> Floats:
    """[n, 4]: a tenth at random, else by a softmax that asks the cheap API the more the surer it is."""
    n = len(confidence)
    scores = np.column_stack([np.zeros(n), np.full(n, -1.1), np.full(n, -0.6), 3 * confidence - 2.9])
    odds = np.exp(scores)
    chances: Floats = 0.9 * odds / odds.sum(axis=1, keepdims=True) + 0.1 / 4
    return chances


def targets(confidence: Floats) -> dict[str, Floats]:
    """The five candidates."""
    each = np.eye(4)
    cascade = np.where((confidence >= 0.8)[:, None], each[3], each[2])
    return {
        "uniform": np.full(4, 0.25),
        "always_microsoft": each[2],
        "always_cnn": each[3],
        "cascade_0.8": cascade,
        "soft_cascade_0.8": 0.85 * cascade + 0.15 / 4,
    }


def figures(data: Path) -> Table:
    """What others print for the same logs, beside what we do."""
    table = Table("log", "candidate", "estimator", "here", "reference", "true value", title="Known figures")
    log = read(data / "obd_men_random.csv.gz")
    chances = read(data / "obd_men_bts_policy.csv")
    matrix = np.zeros((4, 34))
    matrix[chances["position"], chances["item_id"]] = chances["prob"]
    decisions = LoggedDecisions(log["item_id"], log["click"], log["propensity_score"])
    for row in evaluate(decisions, {"bts": matrix[log["position"]]}, ["ips", "snips"]):
        known = {"ips": ".004534", "snips": ".004604, ESS 2467"}[row.estimator]
        here = f"{row.value:.6f}, ESS {row.effective_sample_size:.0f}"
        table.add_row("open bandit", row.candidate, row.estimator, here, known, "")
    for cells in _rafdb(data):
        table.add_row(*cells)
    return table


def _rafdb(data: Path) -> Iterable[tuple[str, ...]]:
    log = read(data / "ope_rafdb_log.csv.gz")
    known = json.loads((data / "ope_rafdb_ref.json").read_text())["policies"]
    contexts = {"output": log["cheap_pred"], "confidence": log["cheap_conf"]}
    decisions = LoggedDecisions(log["action"], log["reward"], log["propensity"], contexts)
    for row in evaluate(decisions, targets(log["cheap_conf"]), [*EXACT, *MODELLED]):
        reference = known[row.candidate]
        value, low, high = reference["estimates"][(EXACT | MODELLED)[row.estimator]]
        here = f"{row.value:.5f} [{row.low:.5f}, {row.high:.5f}]"
        told = f"{value:.5f} [{low:.5f}, {high:.5f}]"
        yield "rafdb", row.candidate, row.estimator, here, told, f"{reference['true_value']:.5f}"


def errors_of_one(world: Outcomes, seed: int) -> dict[tuple[str, str], float]:
    """Estimate minus truth on one simulated log, by candidate and estimator."""
    rows = np.random.default_rng(seed).permutation(len(world.rewards))[:LOGS]
    rewards, confidence = world.rewards[rows], world.confidence[rows]
    contexts = {"output": world.output[rows], "confidence": confidence}
    candidates = targets(confidence)
    log = simulate(rewards, logging(confidence), seed, contexts)
    truth = {name: float((chances * rewards).sum(axis=1).mean()) for name, chances in candidates.items()}
    return {(e.candidate, e.estimator): e.value - truth[e.candidate] for e in evaluate(log, candidates, seed=seed)}


def error_table(data: Path, logs: int, processes: int) -> Table:
    """Root mean squared error, in units of .0001."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with ProcessPoolExecutor(processes) as pool:
        for errors in pool.map(partial(errors_of_one, outcomes(data)), range(logs)):
            for key, error in errors.items():
                found[key].append(error)
    names = list(dict.fromkeys(candidate for candidate, _ in found))
    table = Table("estimator", *names, "mean", title=f"Root mean squared error x 10,000 over {logs} logs")
    rms = {key: 1e4 * float(np.sqrt(np.mean(np.square(errors)))) for key, errors in found.items()}
    for estimator in ESTIMATORS:
        row = [rms[name, estimator] for name in names]
        title = f"{estimator} (default)" if estimator == DEFAULT else estimator
        table.add_row(title, *(f"{x:.1f}" for x in row), f"{np.mean(row):.5f}")
    return table


class Coverage(NamedTuple):
    """Of one simulated log: whether intervals held, and how wide they were."""

    held: bool
    bootstrap_held: bool
    always_held: bool
    width: float
    bootstrap_width: float
    always_width: float


def covered_by_one(kind: str, n: int, seed: int) -> list[Coverage]:
    """Four candidates on one log of n decisions whose rewards are known in expectation."""
    rng = np.random.default_rng([seed, n])
    x, segment = rng.random(n), rng.integers(3, size=n)
    means = _means(x, segment, drifting=kind == "drifting")
    rewards = (rng.random((n, 4)) < means).astype(float)
    policies: dict[str, Any] = {
        "stationary": logging(x),
        "drifting": _turning(logging(x)),
        "adaptive": EpsilonGreedy(epsilon=0.2),
        "adversarial": Exp3(learning_rate=0.02, share=0.02),
    }
    log = simulate(rewards, policies[kind], seed, {"x": x, "segment": segment})
    candidates = {name: np.broadcast_to(p, (n, 4)) for name, p in targets(x).items() if name != "uniform"}
    return [_coverage(log, candidates[e.candidate], means, e) for e in evaluate(log, candidates, [DEFAULT], seed=seed)]


def _means(x: Floats, segment: NDArray[Any], *, drifting: bool) -> Floats:
    zero = np.zeros_like(x)
    means = np.array([0.55, 0.7, 0.4, 0.6]) + np.column_stack([0.3 * (x - 0.5), zero, 0.4 * (x - 0.5), 0.3 * (0.5 - x)])
    means = means + 0.1 * (segment == 1)[:, None] * np.array([1, -1, 0, 1])
    if drifting:
        turn = np.sin(np.arange(len(x)) / len(x) * 2 * np.pi)[:, None]
        means = means + 0.25 * turn * np.array([1, -1, 1, 0])
    clipped: Floats = means.clip(0.02, 0.98)
    return clipped


def _turning(chances: Floats) -> Floats:
    """From one logging policy to its mirror image, little by little."""
    turned = np.linspace(0.0, 1.0, len(chances))[:, None]
    mixed: Floats = (1.0 - turned) * chances + turned * chances[:, ::-1]
    return mixed


def _coverage(log: LoggedDecisions, chances: Floats, means: Floats, row: Any) -> Coverage:
    n = len(log)
    values = (chances * means).sum(axis=1)
    truth = float(values.mean())
    weights = chances[np.arange(n), log.actions] / log.probabilities
    so_far = np.cumsum(values) / np.arange(1, n + 1)
    return Coverage(
        row.low <= truth <= row.high,
        row.bootstrap_low <= truth <= row.bootstrap_high,
        bool(held(weights, log.rewards, so_far, 0.95).all()),
        row.high - row.low,
        row.bootstrap_high - row.bootstrap_low,
        row.anytime_high - row.anytime_low,
    )


def coverage_table(logs: int, sizes: Iterable[int], processes: int) -> Table:
    """Shares of logs on which intervals held, the least of four candidates."""
    table = Table(
        "logging policy", "n", "95% holds", "bootstrap alone", "every prefix", "width", "bootstrap's", "any-time's",
        "narrowest valid",
        title=f"Coverage over {logs} logs, the worst of four candidates; mean widths",
    )  # fmt: skip
    with ProcessPoolExecutor(processes) as pool:
        for kind in ("stationary", "drifting", "adaptive", "adversarial"):
            for n in sizes:
                found = np.array(list(pool.map(partial(covered_by_one, kind, n), range(logs), chunksize=10)))
                shares, widths = found[..., :3].mean(axis=0).min(axis=0), np.nanmean(found[..., 3:], axis=(0, 1))
                numbers = (f"{x:.3f}" for x in (*shares, *widths))
                table.add_row(kind, f"{n:,}", *numbers, _narrowest(shares, widths))
    return table


def _narrowest(shares: Floats, widths: Floats) -> str:
    """Of the intervals that hold as often as they say, as far as 1,000 logs can tell."""
    valid = [
        (w, name)
        for name, s, w in zip(("width", "bootstrap's", "any-time's"), shares, widths, strict=True)
        if s >= 0.935
    ]
    return "{1} {0:.3f}".format(*min(valid)) if valid else "none"


def speed_table(decisions: int) -> Table:
    """Decisions a second on one log of five models, in this process."""
    rng = np.random.default_rng(0)
    errors = np.array([0.25, 0.36, 0.18, 0.46, 0.1])
    rewards = (rng.random((decisions, 5)) >= errors).astype(float)
    chances = np.array([0.2, 0.15, 0.25, 0.1, 0.3])
    log = simulate(rewards, chances, 0)
    candidate = np.array([0.1, 0.1, 0.2, 0.1, 0.5])
    model = np.broadcast_to(1 - errors, (decisions, 5))
    table = Table("what", "decisions/s", "a CPU second", "value", title=f"{decisions:,} decisions, five models")
    rows: dict[str, Callable[[], float]] = {
        "IPS + SNIPS + DR, reward model given": lambda: (
            evaluate(log, {"c": candidate}, ["dr", "snips", "ips"], reward_model=model)[0].value
        ),
        "the formulas alone (numpy)": lambda: _formulas(log, candidate, model),
        "all estimators, reward model fitted": lambda: evaluate(log, {"c": candidate})[0].value,
        "Exp3, which learns": lambda: (
            evaluate(log, {"c": Exp3()}, ["dr", "ips", "replay"], reward_model=model)[0].value
        ),
    }
    for name, run in rows.items():
        started, spent = time.perf_counter(), time.process_time()
        value = run()
        seconds = time.perf_counter() - started, time.process_time() - spent
        table.add_row(name, *(f"{decisions / each:,.0f}" for each in seconds), f"{value:.5f}")
    *seconds_of_vowpal, value = vowpal(log)
    rates = (f"{decisions / each:,.0f}" for each in seconds_of_vowpal)
    table.add_row("Vowpal Wabbit --cb_explore_adf --explore_eval", *rates, f"{value:.5f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    table.caption = f"peak memory of this process, with the simulation of the log: {peak:,.0f} MiB"
    return table


def _formulas(log: LoggedDecisions, candidate: Floats, model: Floats) -> float:
    chances = np.broadcast_to(candidate, model.shape)
    n = np.arange(len(log))
    weights = chances[n, log.actions] / log.probabilities
    ips, snips = (weights * log.rewards).mean(), (weights * log.rewards).sum() / weights.sum()
    dr = ((chances * model).sum(axis=1) + weights * (log.rewards - model[n, log.actions])).mean()
    return float(dr + 0 * (ips + snips))


def vowpal(log: LoggedDecisions) -> tuple[float, float, float]:
    """Seconds, those of a CPU, and mean reward of `--explore_eval` with its own learner, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.txt"
        rows = zip(log.actions.tolist(), log.rewards.tolist(), log.probabilities.tolist(), strict=True)
        shared = "shared | c\n"
        with path.open("w") as file:
            for action, reward, probability in rows:
                arms = [f"| a{j}" for j in range(5)]
                arms[action] = f"0:{-reward:g}:{probability:g} {arms[action]}"
                file.write(shared + "\n".join(arms) + "\n\n")
        code = (
            "import sys, vowpalwabbit; w = vowpalwabbit.Workspace(f'--explore_eval --cb_explore_adf -d {sys.argv[1]} "
            "--quiet'); print(w.get_sum_loss() / max(w.get_weighted_examples(), 1)); w.finish()"
        )
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.perf_counter() - started, used.ru_utime + used.ru_stime, -float(done.stdout.split()[-1])


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of obd_men_*, ope_rafdb_* and apis_rafdb.csv.gz")
    parser.add_argument("--tables", nargs="*", default=["figures", "error", "coverage", "speed"])
    parser.add_argument("--logs", type=int, default=200, help="simulated from apis_rafdb (default: 200)")
    parser.add_argument("--coverage-logs", type=int, default=1000, help="for each kind of log (default: 1000)")
    parser.add_argument("--sizes", nargs="*", type=int, default=[100, 2000], help="of those (default: 100 2000)")
    parser.add_argument("--decisions", type=int, default=1_000_000, help="of the log for speed (default: 1000000)")
    parser.add_argument("--processes", type=int, default=2, help="run side by side (default: 2)")
    options = parser.parse_args()
    tables: Mapping[str, Callable[[], Table]] = {
        "figures": lambda: figures(options.data),
        "error": lambda: error_table(options.data, options.logs, options.processes),
        "coverage": lambda: coverage_table(options.coverage_logs, options.sizes, options.processes),
        "speed": lambda: speed_table(options.decisions),
    }
    for name in options.tables:
        Console(width=150).print(tables[name]())


if __name__ == "__main__":
    main()
