"""A small network that does less for easy digits: residual blocks behind gates."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from serving.demo.configuration import BLOCKS
from serving.demo.digits import CLASSES, PIXELS, Digits
from serving.gated.descent import Schedule
from serving.gated.network import GatedNetwork
from serving.gated.residual import head, stages, stem
from serving.gated.training import train, train_plain

WIDTHS = (6, 12, 24)
ALPHA = 1.3
"""What it is worth to skip all blocks, in nats of the class loss."""


def gated_network() -> GatedNetwork:
    """Pixels `[n, 784]` in [0, 1] to logits `[n, 10]` and the number of blocks, of BLOCKS, that each image took."""
    pixels = nn.Sequential(nn.Unflatten(1, (1, 28, 28)), stem(1, WIDTHS[0], stride=2))
    return GatedNetwork(
        pixels, stages(WIDTHS, BLOCKS // len(WIDTHS)), head(WIDTHS[-1], len(CLASSES)), torch.zeros(1, PIXELS)
    )


def train_gated(digits: Digits, path: Path, seed: int) -> None:
    """First without gates, then with them; its weights are the artifact of `gated_network`."""
    pixels, labels = torch.from_numpy(digits.images), torch.from_numpy(digits.labels)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = gated_network()
    train_plain(network, pixels, labels, generator, Schedule(2, 0.015, batch=128), progress=False)
    supervised, policy = Schedule(1, 0.008, 0.006, batch=128), Schedule(3, 0.005, 0.006, batch=128)
    train(network, pixels, labels, generator, supervised, policy, alpha=ALPHA, progress=False)
    torch.save(network.state_dict(), path)
