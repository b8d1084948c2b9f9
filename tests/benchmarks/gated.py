"""A gated residual network beside the same one without gates: accuracy, depth, and real time of a batch."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from serving.gated.descent import Schedule
from serving.gated.gate import ConvolutionalGate, Gate, RecurrentGate
from serving.gated.network import GatedNetwork
from serving.gated.residual import head, stages, stem
from serving.gated.training import train, train_plain

WIDTHS, TRAINING_IMAGES = (16, 32, 64), 3_000
BATCHES = (1, 8, 64)
GATES: dict[str, type[Gate]] = {"recurrent": RecurrentGate, "convolutional": ConvolutionalGate}


class Split(NamedTuple):
    """Images `[n, 1, 28, 28]` and their digits, to train on and held out."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor


class Figures(NamedTuple):
    """What one seed gave: accuracies, layers run on average and their spread, depth of wrong answers, seconds."""

    plain: float
    gated: float
    layers: float
    spread: float
    shares: list[float]
    seconds: dict[int, tuple[float, float]]


def load(path: Path, seed: int) -> Split:
    """mnist_5k, split by the seed."""
    with np.load(path) as data:
        images = torch.from_numpy(data["X"]).float().div(255).unsqueeze(1)
        labels = torch.from_numpy(data["y"]).long()
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(labels)))
    train_rows, test_rows = order[:TRAINING_IMAGES], order[TRAINING_IMAGES:]
    return Split(images[train_rows], labels[train_rows], images[test_rows], labels[test_rows])


def build(blocks: int, stride: int, gate: type[Gate], seed: int) -> GatedNetwork:
    """`6 * blocks + 2` layers; the stem's stride of 2 makes a quarter of the work of each."""
    torch.manual_seed(seed)
    network = stem(1, WIDTHS[0], stride), stages(WIDTHS, blocks), head(WIDTHS[-1], 10)
    return GatedNetwork(*network, torch.zeros(1, 1, 28, 28), gate)


def run(options: argparse.Namespace, seed: int) -> Figures:
    """Both networks have the same training up to the gates; the one without goes on for as long."""
    split, generator = load(options.data, seed), torch.Generator().manual_seed(seed)
    first, supervised, policy = options.epochs
    plain, gated = (build(options.blocks, options.stride, GATES[options.gate], seed) for _ in range(2))
    train_plain(plain, split.images, split.labels, generator, Schedule(first))
    gated.load_state_dict(plain.state_dict())
    train_plain(plain, split.images, split.labels, generator, Schedule(supervised + policy, 0.005))
    stages_ = Schedule(supervised, 0.005, 0.005), Schedule(policy, 0.003, options.gate_rate)
    train(gated, split.images, split.labels, generator, *stages_, alpha=options.alpha)
    with torch.inference_mode():
        accuracy = _right(plain.plain(split.test_images), split.test_labels)
        outputs, depth = gated(split.test_images)
        gates = gated.masked(split.test_images, lambda logits: (logits > 0).float()).gates
    layers = 2.0 + 2 * depth.float()
    seconds = {n: times(plain.plain, gated, split.test_images, n) for n in BATCHES}
    torch.save(gated.state_dict(), options.out / f"gated-{seed}.pt")
    shares = gates.mean(0).tolist()
    return Figures(
        accuracy, _right(outputs, split.test_labels), float(layers.mean()), float(layers.std()), shares, seconds
    )


def _right(outputs: Tensor, labels: Tensor) -> float:
    return float((outputs.argmax(1) == labels).float().mean())


def times(
    plain: Callable[[Tensor], object], gated: Callable[[Tensor], object], images: Tensor, size: int
) -> tuple[float, float]:
    """Median seconds of a batch, by turns, so that a busy machine is busy for both."""
    batches = torch.split(images, size)[: max(10, 200 // size)]
    took: tuple[list[float], list[float]] = ([], [])
    with torch.inference_mode():
        for batch in batches:
            for call, seconds in zip((plain, gated), took, strict=True):
                started = time.perf_counter()
                call(batch)
                seconds.append(time.perf_counter() - started)
    return median(took[0]), median(took[1])


def show(found: Sequence[Figures], layers: int) -> None:
    """One row a seed, and their mean."""
    columns = [f"batch of {n}, ms" for n in BATCHES]
    table = Table("seed", "accuracy without gates", "gated", f"layers of {layers}", "sd", "blocks skipped", *columns)
    for seed, figures in enumerate(found, 1):
        pace = [f"{p * 1e3:.1f} / {g * 1e3:.1f} = {p / g:.2f}x" for p, g in figures.seconds.values()]
        rest = [f"{figures.layers:.1f}", f"{figures.spread:.1f}", f"{1 - fmean(figures.shares):.1%}", *pace]
        table.add_row(str(seed), f"{figures.plain:.4f}", f"{figures.gated:.4f}", *rest)
    speed = [f"{fmean(f.seconds[n][0] / f.seconds[n][1] for f in found):.2f}x" for n in BATCHES]
    means = [fmean(column) for column in ([f.plain for f in found], [f.gated for f in found])]
    depth = fmean(f.layers for f in found)
    lower = f"{depth:.1f} ({1 - depth / layers:.0%} lower)"
    table.add_row("mean", *(f"{m:.4f}" for m in means), lower, "", "", *speed)
    Console(width=160).print(table)
    for seed, figures in enumerate(found, 1):
        Console(width=160).print(
            f"seed {seed}, share of images that run each block:", np.round(figures.shares, 2).tolist()
        )


def main() -> None:
    """Train and time, seed by seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="mnist_5k.npz")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the weights of the gated networks")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=6, help="of each of three stages; 6: 38 layers")
    parser.add_argument("--stride", type=int, default=2, help="of the stem; 1 takes four times as long")
    parser.add_argument("--gate", choices=GATES, default="recurrent")
    parser.add_argument("--epochs", type=int, nargs=3, default=(6, 3, 5), help="without gates, supervised, policy")
    parser.add_argument("--alpha", type=float, default=0.6, help="what skipping all is worth, in nats")
    parser.add_argument("--gate-rate", type=float, default=0.01, help="learning rate of the gates in the last stage")
    parser.add_argument("--threads", type=int, default=1, help="as a worker has (default: 1)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = []
    for seed in range(1, options.seeds + 1):
        found.append(run(options, seed))
        show(found, 6 * options.blocks + 2)


if __name__ == "__main__":
    main()
