"""The best of the models: a small convolutional network, which can be broken from outside."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from serving.demo.digits import CLASSES


class Network(nn.Module):
    """Pixels `[n, 784]` in [0, 1] to logits `[n, 10]`; random ones while the file `flag` exists.

    The path of that file is part of the saved state, so that whoever serves the network need not know of it.
    """

    def __init__(self, flag: Path = Path()) -> None:
        super().__init__()
        self.flag = flag
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            *(nn.Conv2d(1, 16, 5, padding=2), nn.MaxPool2d(2), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.MaxPool2d(2), nn.BatchNorm2d(32), nn.ReLU()),
            *(nn.Flatten(), nn.Dropout(0.4), nn.Linear(32 * 7 * 7, len(CLASSES))),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        if self.flag.is_file():
            return torch.randn(len(pixels), len(CLASSES), device=pixels.device)
        logits: Tensor = self.layers(pixels)
        return logits

    def get_extra_state(self) -> str:
        return str(self.flag)

    def set_extra_state(self, state: str) -> None:
        self.flag = Path(state)
