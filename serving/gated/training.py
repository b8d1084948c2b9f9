"""How gates learn: by soft gradients through hard gates, then by what skipping was worth (SkipNet, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import torch
from msgspec import Struct
from rich.progress import track
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from serving.gated.network import GatedNetwork

Loss = Callable[[Tensor, Tensor], Tensor]
"""From inputs and labels of a batch to the mean loss."""


class Training(Struct, frozen=True):
    """`epochs` of Adam (decoupled decay) in batches, one cycle of the learning rate up to `learning_rate`."""

    epochs: int
    learning_rate: float = 0.003
    batch: int = 64


class Supervised(nn.Module):
    """The first stage: the class loss through hard gates, whose gradient is that of their probabilities."""


def train(
    network: GatedNetwork,
    inputs: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    supervised: Training = Training(5),
    policy: Training = Training(5, 0.001),
    alpha: float = 0.1,
    weight: float = 1.0,
    progress: bool = True,
) -> None:
    """Train blocks and gates on inputs `[n, ...]` and labels `[n]` of class numbers; a bar shows the progress.

    `alpha` is what it is worth to skip every block, in nats of the class loss: each of N skips earns
    alpha / N. `weight` is that of the policy gradient beside the class loss.
    """

    def first(inputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(network.masked(inputs, straight_through).outputs, labels)

    def second(inputs: Tensor, labels: Tensor) -> Tensor:
        return policy_loss(network, inputs, labels, generator, alpha, weight)

    descend(network, first, inputs, labels, generator, supervised, "gates, supervised" if progress else None)
    descend(network, second, inputs, labels, generator, policy, "gates, policy gradient" if progress else None)


def straight_through(logits: Tensor) -> Tensor:
    """1 where the logit is positive, else 0; the gradient is that of the probability."""
    probability = logits.sigmoid()
    return (logits > 0).float() + probability - probability.detach()


def policy_loss(
    network: GatedNetwork, inputs: Tensor, labels: Tensor, generator: torch.Generator, alpha: float, weight: float
) -> Tensor:
    """The class loss under sampled gates, and REINFORCE for the gates.

    The return of gate i is minus the class loss, plus alpha / N for each skip from i on (equation 5). Its
    baseline is what the same input earns when nothing is sampled (self-critical, Rennie et al., CVPR 2017).
    """
    passed = network.masked(inputs, lambda logits: torch.bernoulli(logits.detach().sigmoid(), generator=generator))
    losses = cross_entropy(passed.outputs, labels, reduction="none")
    network.eval()
    outputs, depth = network(inputs)
    network.train()
    with torch.no_grad():
        blocks = passed.gates.shape[1]
        gain = cross_entropy(outputs, labels, reduction="none") - losses + alpha * (depth-passed.gates.sum(1)) / blocks
        advantage = gain - gain.mean()
    surprise = binary_cross_entropy_with_logits(passed.logits, passed.gates, reduction="none").sum(1)
    return losses.mean() + weight * (advantage * surprise).mean()


def descend(
    module: nn.Module,
    loss: Loss,
    inputs: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    training: Training,
    description: str | None,
) -> None:
    """Adam on the loss over shuffled batches; a bar with this description. The module is left in `eval` mode."""
    optimizer = torch.optim.AdamW(module.parameters())
    steps = training.epochs * ceil(len(labels) / training.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=training.learning_rate, total_steps=max(1, steps))
    module.train()
    for _ in track(range(training.epochs), description or "", disable=description is None):
        for rows in torch.randperm(len(labels), generator=generator).split(training.batch):
            optimizer.zero_grad()
            torch.autograd.backward(loss(inputs[rows], labels[rows]))
            optimizer.step()
            schedule.step()
    module.eval()
