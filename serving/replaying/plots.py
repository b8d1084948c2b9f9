"""Plots of a replay, each as an SVG element."""

from __future__ import annotations

from io import StringIO
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from selector.replay import Estimate, Evaluation
from selector.replay.tally import BINS
from serving.replaying.results import Results

_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "windjammer", "font.family": "sans-serif", "font.size": 9}
_COLOURS = ("#2166ac", "#b2182b", "#1b7837", "#e08214", "#762a83", "#01665e", "#8c510a", "#c51b7d")


def all_plots(results: Results) -> list[tuple[str, str]]:
    """Captions and drawings, of what these results have."""
    shown = results.partial or results.whole
    plots = [("Mean reward of each candidate, with intervals; the dashed line is the logging policy", estimates(shown))]
    if len(shown.differences) > 1:
        plots.append(("Differences, all at once; those that do not touch 0 are real", differences(shown)))
    if results.outcomes:
        plots.append(("Mean reward so far, as decisions came", curves(results)))
    if shown.readings is not None and shown.survey is not None:
        plots.append(("How candidates' weights are distributed, in shares of decisions", weights(shown)))
        plots.append(("Overlap: how often each action was chosen, and how often candidates would", overlap(shown)))
        plots.append(("Logged probabilities: the mean of 1{a} / p should be 1 for each action", calibration(shown)))
        if shown.readings.reliability is not None:
            plots.append(("The reward model: what it predicted and what came", reliability(shown)))
    return plots


def estimates(evaluation: Evaluation) -> str:
    """A point and an interval for every estimate."""
    rows = list(evaluation)
    figure, axes = _figure(max(1.6, 0.2 * len(rows) + 0.8))
    order = list(dict.fromkeys(row.candidate for row in rows))
    for y, row in enumerate(reversed(rows)):
        colour = _COLOURS[order.index(row.candidate) % len(_COLOURS)]
        axes.plot([row.low, row.high], [y, y], color=colour, linewidth=3 if row in evaluation.best else 1)
        axes.plot([row.value], [y], "o", color=colour, markersize=4)
    axes.axvline(evaluation.logged.value, color="#666666", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(rows)), [_label(row) for row in reversed(rows)])
    axes.set_xlabel("mean reward")
    return _svg(figure)


def differences(evaluation: Evaluation) -> str:
    """Paired differences."""
    pairs = list(evaluation.differences)
    figure, axes = _figure(max(1.6, 0.22 * len(pairs) + 0.8))
    for y, pair in enumerate(reversed(pairs)):
        colour = _COLOURS[0] if pair.low > 0 else "#999999"
        axes.plot([pair.low, pair.high], [y, y], color=colour, linewidth=2)
        axes.plot([pair.value], [y], "o", color=colour, markersize=4)
    axes.axvline(0.0, color="#666666", linewidth=1)
    axes.set_yticks(range(len(pairs)), [f"{pair.better} over {pair.worse}" for pair in reversed(pairs)])
    return _svg(figure)


def curves(results: Results) -> str:
    """Mean reward so far."""
    figure, axes = _figure(3.0)
    for i, (name, outcome) in enumerate(results.outcomes.items()):
        counts, rewards = zip(*outcome.curve, strict=True) if outcome.curve else ((), ())
        axes.plot(counts, rewards, label=name, color=_COLOURS[i % len(_COLOURS)], linewidth=1.3)
    for name, alone in results.models.items():
        axes.axhline(alone.reward, color="#bbbbbb", linewidth=0.8, linestyle=":")
        axes.annotate(name, (1.0, alone.reward), xycoords=("axes fraction", "data"), fontsize=7, color="#888888")
    axes.set_xlabel("decisions")
    axes.legend(frameon=False)
    return _svg(figure)


def weights(evaluation: Evaluation) -> str:
    """Histograms over the same bins."""
    assert evaluation.readings is not None
    figure, axes = _figure(2.6)
    tallies = evaluation.readings.tallies
    places, width = np.arange(len(BINS) - 1), 0.8 / len(tallies)
    for i, (name, tally) in enumerate(tallies.items()):
        shares = tally.histogram / tally.histogram.sum()
        axes.bar(places + i * width, shares, width, label=name, color=_COLOURS[i % len(_COLOURS)])
    labels = [f"{low:g} to {high:g}" for low, high in pairwise(BINS)]
    axes.set_xticks(places + 0.4, labels, rotation=45, ha="right")
    axes.legend(frameon=False)
    return _svg(figure)


def overlap(evaluation: Evaluation) -> str:
    """Shares of actions, of the log and of stationary candidates."""
    assert evaluation.survey is not None
    survey = evaluation.survey
    most = np.argsort(-survey.counts, kind="stable")[:40]
    shares = {"(logged)": survey.counts[most] / survey.decisions}
    fixed = [row.candidate for row in evaluation.best if row.evaluated == "stationary"]
    shares |= {name: mass[most] / survey.decisions for name, mass in zip(fixed, survey.mass, strict=True)}
    figure, axes = _figure(2.6)
    places, width = np.arange(len(most)), 0.8 / len(shares)
    for i, (name, share) in enumerate(shares.items()):
        axes.bar(places + i * width, share, width, label=name, color=(*("#888888",), *_COLOURS)[i % 9])
    axes.set_xticks(places + 0.4, [survey.actions[j] for j in most], rotation=45, ha="right")
    axes.legend(frameon=False)
    return _svg(figure)


def calibration(evaluation: Evaluation) -> str:
    """Mean inverse probability of each action, with two standard errors."""
    assert evaluation.survey is not None
    survey = evaluation.survey
    sums, squares = survey.inverse / survey.decisions
    errors = 2.0 * np.sqrt(np.maximum(squares - sums**2, 0.0) / survey.decisions)
    figure, axes = _figure(2.2)
    axes.errorbar(range(len(sums)), sums, errors, fmt="o", color=_COLOURS[0], markersize=3, linewidth=1)
    axes.axhline(1.0, color="#666666", linestyle="--", linewidth=1)
    axes.set_xticks(range(len(sums)), survey.actions, rotation=45, ha="right")
    return _svg(figure)


def reliability(evaluation: Evaluation) -> str:
    """Predicted against observed mean reward, by what was predicted."""
    assert evaluation.readings is not None
    found = evaluation.readings.reliability
    assert found is not None
    seen = found.count > 0
    figure, axes = _figure(2.8)
    size = 10 + 100 * found.count[seen] / found.count.max()
    axes.axline((0, 0), slope=1, color="#666666", linestyle="--", linewidth=1)
    axes.scatter(found.predicted[seen] / found.count[seen], found.rewards[seen] / found.count[seen], s=size)
    axes.set_xlabel("predicted mean reward")
    axes.set_ylabel("observed")
    return _svg(figure)


def _label(row: Estimate) -> str:
    return f"{row.candidate}  {row.estimator}"


def _figure(height: float) -> tuple[Figure, Any]:
    with rc_context(_STYLE):
        figure = Figure(figsize=(7.5, height), layout="constrained")
        axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure) -> str:
    file = StringIO()
    with rc_context(_STYLE):
        figure.savefig(file, format="svg", metadata={"Date": None})
    drawing = file.getvalue()
    return drawing[drawing.index("<svg") :]
