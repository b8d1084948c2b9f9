"""Gates: whether an input needs a residual block, said before the block runs (SkipNet, ECCV 2018, section 3.2)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor] | None
"""What a recurrent gate remembers of the blocks before, for each input: hidden and cell state `[n, size]`."""

OPEN = 2.0
"""The logit that untrained gates begin near: all blocks run, and sampling skips one of eight."""


class Gate(nn.Module, ABC):
    """The gates of all blocks, made by calling its kind with the channels that enter each block."""

    @abstractmethod
    def forward(self, block: int, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits `[n]`, above 0 to run the block, of features `[n, channels, ...]`; the state for the next block."""


class RecurrentGate(Gate):
    """One LSTM shared by all blocks; it sees the mean of each channel, through an embedding of each block's own."""

    def __init__(self, channels: Sequence[int], size: int = 10) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Linear(count, size) for count in channels)
        self.cell = nn.LSTMCell(size, size)
        self.verdict = _open(nn.Linear(size, 1))

    def forward(self, block: int, features: Tensor, state: State) -> tuple[Tensor, State]:
        means = features.flatten(2).mean(2) if features.ndim > 2 else features
        hidden, cell = self.cell(self.embeddings[block](means), state)
        logits: Tensor = self.verdict(hidden)
        return logits.squeeze(1), (hidden, cell)


class ConvolutionalGate(Gate):
    """For each block a convolution of its own over pooled features `[n, channels, height, width]`: dearer, no memory."""

    def __init__(self, channels: Sequence[int], size: int = 10) -> None:
        super().__init__()
        self.gates = nn.ModuleList(
            nn.Sequential(
                *(nn.MaxPool2d(2, ceil_mode=True), nn.Conv2d(count, size, 3, stride=2, padding=1), nn.ReLU()),
                *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), _open(nn.Linear(size, 1))),
            )
            for count in channels
        )

    def forward(self, block: int, features: Tensor, state: State) -> tuple[Tensor, State]:
        logits: Tensor = self.gates[block](features)
        return logits.squeeze(1), state


def _open(verdict: nn.Linear) -> nn.Linear:
    with torch.no_grad():
        verdict.bias.fill_(OPEN)
    return verdict
