"""The usual residual blocks, and networks of them (He et al., CVPR 2016, section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut; with a stride or other channels the shortcut is a 1x1 convolution."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *(nn.Conv2d(channels, out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()),
            *(nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, features: Tensor) -> Tensor:
        total: Tensor = self.branch(features) + self.shortcut(features)
        return total.relu_()


def stem(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    """The layer before the first block: images `[n, channels, height, width]` to features of `out` channels."""
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


def stages(widths: Sequence[int], blocks: int) -> list[Residual]:
    """`blocks` blocks of each width; each stage after the first halves the image with its first block.

    With a stem and a linear head that is a network of `2 * blocks * len(widths) + 2` layers.
    """
    entering = [widths[0], *widths]
    return [
        Residual(entering[stage] if first else width, width, 2 if first and stage else 1)
        for stage, width in enumerate(widths)
        for first in [True, *[False] * (blocks - 1)]
    ]


def head(channels: int, classes: int) -> nn.Sequential:
    """Features `[n, channels, height, width]` to logits `[n, classes]`, by the mean of each channel."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
