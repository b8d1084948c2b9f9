"""What runtimes load by name in tests."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class Echo:
    def __init__(self, device: str, times: int = 1) -> None:
        self.device = device
        self.times = times

    def predict_batch(self, inputs: Sequence[object]) -> list[str]:
        return [f"{value}" * self.times for value in inputs]


def linear() -> torch.nn.Module:
    """Of two numbers the sum and the difference, once it has its weights."""
    return torch.nn.Linear(2, 2, bias=False)


class Counting(torch.nn.Module):
    """Its inputs as they are; what each costs is their sum."""

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return inputs, inputs.sum(1)
