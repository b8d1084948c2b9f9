"""A gated residual network beside the same one without gates: accuracy, depth, and CPU time of a batch, seed by seed.

A run that was cut short goes on from the weights in `--out`. Choose settings with `--validate`, never on test images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from msgspec import Struct
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from selector.errors import InvalidSetting
from serving.gated.descent import Schedule
from serving.gated.gate import ConvolutionalGate, Gate, RecurrentGate
from serving.gated.network import GatedNetwork
from serving.gated.residual import head, stages, stem
from serving.gated.training import train, train_plain

WIDTHS, STRIDE = (16, 32, 64), 2
"""Of the three stages, and of the stem: images enter the first block at 14 x 14."""
BATCH = 128
"""Images of a training step."""
BATCHES = (1, 16, 64)
"""Images of the batches that are timed."""
GATES: dict[str, type[Gate]] = {"recurrent": RecurrentGate, "convolutional": ConvolutionalGate}


class Recipe(Struct, frozen=True):
    """How both networks are trained; `epochs` without gates, supervised, by policy gradient."""

    blocks: int
    gate: str
    epochs: list[int]
    alpha: float
    gate_rate: float
    variants: int
    validate: bool


class Split(NamedTuple):
    """Images `[n, 1, 28, 28]` and their digits, to train on and held out."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor


class Figures(NamedTuple):
    """Right or not without gates and gated, and layers run, all `[n]`; the share that runs each block; CPU seconds."""

    plain: Tensor
    gated: Tensor
    layers: Tensor
    shares: list[float]
    seconds: dict[int, tuple[float, float]]


def load(path: Path, seed: int, recipe: Recipe) -> Split:
    """mnist_5k, split by the seed: 3,000 to train on, 2,000 to test; of the first 1,000 to validate."""
    with np.load(path) as data:
        images = torch.from_numpy(data["X"]).float().div(255).unsqueeze(1)
        labels = torch.from_numpy(data["y"]).long()
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(labels)))
    taught, held_out = (order[:2000], order[2000:3000]) if recipe.validate else (order[:3000], order[3000:])
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.cat([images[taught], *(moved(images[taught], generator) for _ in range(recipe.variants - 1))])
    return Split(drawn, labels[taught].repeat(recipe.variants), images[held_out], labels[held_out])


def moved(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each by up to two pixels each way."""
    steps = torch.randint(-2, 3, (len(images), 2), generator=generator).tolist()
    return torch.stack([torch.roll(image, step, (1, 2)) for image, step in zip(images, steps, strict=True)])


def build(recipe: Recipe, seed: int) -> GatedNetwork:
    """`6 * blocks + 2` layers."""
    torch.manual_seed(seed)
    network = stem(1, WIDTHS[0], STRIDE), stages(WIDTHS, recipe.blocks), head(WIDTHS[-1], 10)
    return GatedNetwork(*network, torch.zeros(1, 1, 28, 28), GATES[recipe.gate])


def kept(file: Path, network: nn.Module, teach: Callable[[], None]) -> None:
    """The weights in the file, or those that `teach` leaves, which go there."""
    if not file.is_file():
        teach()
        torch.save(network.state_dict(), file)
    network.load_state_dict(torch.load(file, weights_only=True))
    network.eval()


def run(data: Path, out: Path, recipe: Recipe, seed: int) -> Figures:
    """Both networks have the same training up to the gates; the one without goes on for as long."""
    split = load(data, seed, recipe)
    images, labels = split.images, split.labels
    first, *rest = recipe.epochs
    plain, gated = build(recipe, seed), build(recipe, seed)

    def teach(epochs: int, rate: float) -> None:
        generator = torch.Generator().manual_seed(seed)
        train_plain(plain, images, labels, generator, Schedule(epochs, rate, batch=BATCH))

    def teach_gated() -> None:
        schedules = Schedule(rest[0], 0.008, recipe.gate_rate, BATCH), Schedule(rest[1], 0.005, recipe.gate_rate, BATCH)
        train(gated, images, labels, torch.Generator().manual_seed(seed), *schedules, alpha=recipe.alpha)

    kept(out / f"first-{seed}.pt", plain, lambda: teach(first, 0.015))
    gated.load_state_dict(plain.state_dict())
    kept(out / f"plain-{seed}.pt", plain, lambda: teach(sum(rest), 0.008))
    kept(out / f"gated-{seed}.pt", gated, teach_gated)
    return figures(plain, gated, split)


@torch.inference_mode()
def figures(plain: GatedNetwork, gated: GatedNetwork, split: Split) -> Figures:
    """Both networks on the images held out."""
    outputs, depth = gated(split.test_images)
    return Figures(
        plain.plain(split.test_images).argmax(1) == split.test_labels,
        outputs.argmax(1) == split.test_labels,
        2.0 + 2 * depth,
        gated.masked(split.test_images, lambda logits: (logits > 0).float()).gates.mean(0).tolist(),
        {n: times(plain.plain, gated, split.test_images, n) for n in BATCHES},
    )


def times(
    plain: Callable[[Tensor], object], gated: Callable[[Tensor], object], images: Tensor, size: int
) -> tuple[float, float]:
    """Median CPU seconds of a batch, by turns, on a machine that has met batches of these sizes before."""
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(2):
        for seconds in took:
            seconds.clear()
        for batch in torch.split(images, size)[: max(30, 200 // size)]:
            for call, seconds in zip((plain, gated), took, strict=True):
                started = time.process_time()
                call(batch)
                seconds.append(time.process_time() - started)
    return median(took[0]), median(took[1])


def show(found: Sequence[Figures], layers: int) -> None:
    """One row a seed, and their mean; the difference in accuracy has its standard error, paired by image."""
    columns = [f"batch of {n}, CPU ms" for n in BATCHES]
    table = Table("seed", "accuracy without gates", "gated", "points", f"layers of {layers}", "sd", *columns)
    for seed, f in enumerate(found, 1):
        pace = [f"{p * 1e3:.1f} / {g * 1e3:.1f} = {p / g:.2f}x" for p, g in f.seconds.values()]
        gain = 100 * (f.gated.float() - f.plain.float())
        rest = [f"{gain.mean():+.2f} ± {gain.std() / len(gain) ** 0.5:.2f}", f"{f.layers.mean():.1f}"]
        table.add_row(str(seed), *(f"{a.float().mean():.4f}" for a in f[:2]), *rest, f"{f.layers.std():.1f}", *pace)
    right, gated, depth = (torch.cat(each).float().mean() for each in zip(*(f[:3] for f in found), strict=True))
    speed = [f"{fmean(f.seconds[n][0] / f.seconds[n][1] for f in found):.2f}x" for n in BATCHES]
    lower = f"{depth:.1f} ({1 - depth / layers:.0%} lower)"
    table.add_row("mean", f"{right:.4f}", f"{gated:.4f}", f"{100 * (gated - right):+.2f}", lower, "", *speed)
    console = Console(width=160)
    console.print(table)
    for seed, f in enumerate(found, 1):
        console.print(f"seed {seed}, share of images that run each block:", np.round(f.shares, 2).tolist())


def settle(out: Path, recipe: Recipe) -> None:
    """Weights of another recipe must not be taken for this one's. Raises InvalidSetting."""
    out.mkdir(parents=True, exist_ok=True)
    file, encoded = out / "recipe.json", msgspec.json.encode(recipe)
    if file.is_file() and file.read_bytes() != encoded:
        raise InvalidSetting(f"{out} has weights of another recipe: {file.read_text()}")
    file.write_bytes(encoded)


def main() -> None:
    """Train and time, seed by seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="mnist_5k.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=6, help="of each of three stages; 6: 38 layers")
    parser.add_argument("--gate", choices=GATES, default="recurrent")
    parser.add_argument("--epochs", type=int, nargs=3, default=[4, 1, 3], help="plain, supervised, policy")
    parser.add_argument("--alpha", type=float, default=0.6, help="what skipping all is worth, in nats")
    parser.add_argument("--gate-rate", type=float, default=0.008, help="learning rate of the gates")
    parser.add_argument("--variants", type=int, default=4, help="of each training image, moved by up to two pixels")
    parser.add_argument("--validate", action="store_true", help="hold out training images, and leave the test images")
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipe = msgspec.convert({k: getattr(options, k) for k in Recipe.__struct_fields__}, Recipe)
    settle(options.out, recipe)
    found = []
    for seed in range(1, options.seeds + 1):
        found.append(run(options.data, options.out, recipe, seed))
        show(found, 6 * options.blocks + 2)


if __name__ == "__main__":
    main()
