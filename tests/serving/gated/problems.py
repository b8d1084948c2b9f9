"""Small networks, and a problem of which one half needs no block and the other does."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from serving.gated.gate import Gate, RecurrentGate
from serving.gated.network import GatedNetwork
from serving.gated.residual import head, stages, stem

IMAGES = (1, 12, 12)


class Dense(nn.Module):
    """A residual block over vectors, without a name for its shortcut."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(size, 2 * size), nn.ReLU(), nn.Linear(2 * size, size))

    def forward(self, features: Tensor) -> Tensor:
        total: Tensor = features + self.layers(features)
        return total


def convolutional(gate: type[Gate] = RecurrentGate) -> GatedNetwork:
    """Six blocks in three stages, with settled normalization, whose gates are near their edge."""
    torch.manual_seed(1)
    network = GatedNetwork(stem(1, 4), stages((4, 6, 8), 2), head(8, 3), torch.zeros(2, *IMAGES), gate)
    network.train()
    network.plain(torch.randn(64, *IMAGES))
    with torch.no_grad():
        for name, parameter in network.gate.named_parameters():
            parameter.zero_() if name.endswith("bias") else parameter.normal_(std=2.0)
    return network.eval()


def dense(blocks: int = 3) -> GatedNetwork:
    """Four numbers to two classes."""
    return GatedNetwork(nn.Linear(4, 16), [Dense(16) for _ in range(blocks)], nn.Linear(16, 2), torch.zeros(2, 4))


def half_easy(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, labels, and which are hard: those are an exclusive or, the easy ones say their class."""
    inputs = torch.rand(count, 4, generator=generator) * 2 - 1
    hard = torch.rand(count, generator=generator) < 0.5
    inputs[:, 0] = torch.where(hard, 0.0, inputs[:, 0].sign())
    inputs[:, 3] = hard.float()
    labels = torch.where(hard, inputs[:, 1] * inputs[:, 2] > 0, inputs[:, 0] > 0)
    return inputs, labels.long(), hard
