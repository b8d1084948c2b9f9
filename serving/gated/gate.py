"""Gates: whether an input needs a residual block, said before the block runs (SkipNet, ECCV 2018, section 3.2)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

OPEN = 3.0
"""The logit that untrained gates begin near: all blocks run, and one draw of 11 skips.

Few skips at a time, so that each is judged in a network that is otherwise as it is served.
"""


class Gate(nn.Module, ABC):
    """The gates of all blocks, made by calling its kind with the channels that enter each block."""

    @abstractmethod
    def forward(self, block: int, features: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Logits `[n]`, above 0 to run the block, of features `[n, channels, ...]`; the memory for the next block.

        `memory` is what the gate of the block before gave, None at the first block.
        """


class RecurrentGate(Gate):
    """One recurrent cell shared by all blocks; it sees the mean of each channel, through each block's own embedding.

    The means are standardized, so that the gates learn to tell inputs apart before they settle for all of them alike.
    The cell is Elman's: the paper's, an LSTM, takes longer, and a small block on a CPU little longer still.
    """

    def __init__(self, channels: Sequence[int], size: int = 16) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(Embedding(count, size) for count in channels)
        self.recurrence = nn.Linear(size, size, bias=False)
        self.verdicts = nn.ModuleList(Verdict(size) for _ in channels)

    def forward(self, block: int, features: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor | None]:
        seen = self.embeddings[block](features.flatten(2).mean(2) if features.ndim > 2 else features)
        memory = torch.tanh(seen if memory is None else torch.addmm(seen, memory, self.recurrence.weight))
        return self.verdicts[block](memory), memory


class Embedding(nn.Module):
    """A linear map of standardized inputs `[n, count]`; mean and deviation follow the batches in training."""

    shift: Tensor
    scale: Tensor

    def __init__(self, count: int, size: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.linear = nn.Linear(count, size)
        self.register_buffer("shift", torch.zeros(count))
        self.register_buffer("scale", torch.ones(count))
        self._momentum = momentum

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            self._follow(inputs.detach())
        standard = torch.addcmul(self.shift, inputs, self.scale)  # a sixth of the time of nn.BatchNorm1d
        return nn.functional.linear(standard, self.linear.weight, self.linear.bias)

    def _follow(self, inputs: Tensor) -> None:
        deviation, mean = torch.std_mean(inputs, 0, correction=0)
        scale = 1 / (deviation + 0.01)
        self.scale = torch.lerp(self.scale, scale, self._momentum)
        self.shift = torch.lerp(self.shift, -mean * scale, self._momentum)


class ConvolutionalGate(Gate):
    """A convolution of each block's own over pooled features `[n, channels, height, width]`: dearer, no memory."""

    def __init__(self, channels: Sequence[int], size: int = 10) -> None:
        super().__init__()
        self.gates = nn.ModuleList(
            nn.Sequential(
                *(nn.MaxPool2d(2, ceil_mode=True), nn.Conv2d(count, size, 3, stride=2, padding=1), nn.ReLU()),
                *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), Verdict(size)),
            )
            for count in channels
        )

    def forward(self, block: int, features: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return self.gates[block](features), memory


class Verdict(nn.Linear):
    """Logits `[n]` of what a gate saw, `[n, size]`: open at first, by a bias as fast as all weights together.

    Adam moves every parameter alike, so the weights would outrun the bias: gates would tell classes apart, as poorer
    classifiers than the network, before they say whether a block is needed at all.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size, 1)
        nn.init.constant_(self.bias, OPEN / size)

    def forward(self, seen: Tensor) -> Tensor:
        return nn.functional.linear(seen, self.weight, self.in_features * self.bias).squeeze(1)
