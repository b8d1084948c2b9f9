"""Gradient descent over shuffled batches, with a progress bar."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import torch
from msgspec import Struct
from rich.progress import track
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]
"""From the inputs and labels of a batch to its mean loss."""


class Schedule(Struct, frozen=True):
    """`epochs` over the data in batches of `batch`; learning rates rise to these, and fall to nothing, in one cycle.

    `gate_rate` is that of the parameters under the module's `gate`, `learning_rate` that of all others.
    """

    epochs: int
    learning_rate: float = 0.01
    gate_rate: float = 0.01
    batch: int = 64


def descend(
    module: nn.Module,
    loss: Loss,
    inputs: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    schedule: Schedule,
    description: str | None,
) -> None:
    """Adam (decoupled decay) on the loss; a bar with this description. The module is left in `eval` mode."""
    steps = schedule.epochs * ceil(len(labels) / schedule.batch)
    named = list(module.named_parameters())
    gates = [parameter for name, parameter in named if name.startswith("gate.")]
    others = [parameter for name, parameter in named if not name.startswith("gate.")]
    optimizer = torch.optim.AdamW([{"params": others}, {"params": gates}])
    rates = [schedule.learning_rate, schedule.gate_rate]
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=max(1, steps))
    module.train()
    for _ in track(range(schedule.epochs), description or "", disable=description is None):
        for rows in torch.split(torch.randperm(len(labels), generator=generator), schedule.batch):
            optimizer.zero_grad()
            torch.autograd.backward(loss(inputs[rows], labels[rows]))
            optimizer.step()
            cycle.step()
    module.eval()
