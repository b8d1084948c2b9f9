"""How gates learn: by soft gradients through hard gates, then by what skipping was worth (SkipNet, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from serving.gated.descent import Schedule, descend
from serving.gated.network import GatedNetwork

BOUND = 3.0
"""Logits are squeezed into this range before gates are sampled, so that either way keeps a chance of 1 in 20."""
LIMIT = 1.0
"""Of the gain of one input, in nats: a few inputs that any change upsets would drown what all the others say."""

SUPERVISED = Schedule(4, 0.005, gate_rate=0.005)
POLICY = Schedule(4, 0.003, gate_rate=0.005)


def train(
    network: GatedNetwork,
    inputs: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    supervised: Schedule = SUPERVISED,
    policy: Schedule = POLICY,
    alpha: float = 0.6,
    progress: bool = True,
) -> None:
    """Train blocks and gates on inputs `[n, ...]` and labels `[n]` of class numbers; a bar shows the progress.

    `alpha` is what it is worth to skip all blocks, in nats of the class loss: each of N skips earns alpha / N
    in the second stage. Begin with blocks that are trained already (`GatedNetwork.plain`), or with new ones.
    """

    def first(inputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(network.masked(inputs, lambda logits: straight_through(logits, generator)).outputs, labels)

    def second(inputs: Tensor, labels: Tensor) -> Tensor:
        return policy_loss(network, inputs, labels, generator, alpha)

    descend(network, first, inputs, labels, generator, supervised, "gates, supervised" if progress else None)
    descend(network, second, inputs, labels, generator, policy, "gates, policy gradient" if progress else None)


def train_plain(
    network: GatedNetwork,
    inputs: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    schedule: Schedule,
    progress: bool = True,
) -> None:
    """Train the blocks alone, without gates, which stay as they are."""

    def loss(inputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(network.plain(inputs), labels)

    descend(network, loss, inputs, labels, generator, schedule, "without gates" if progress else None)


def straight_through(logits: Tensor, generator: torch.Generator) -> Tensor:
    """Gates of 0 and 1, drawn by their probability, whose gradient they have (hard forward, soft backward)."""
    probability = _squeezed(logits).sigmoid()
    return torch.bernoulli(probability.detach(), generator=generator) + probability - probability.detach()


def policy_loss(
    network: GatedNetwork, inputs: Tensor, labels: Tensor, generator: torch.Generator, alpha: float
) -> Tensor:
    """The class loss under drawn gates, and minus the reward of the gates: minus that loss, plus alpha / N a skip.

    What skips earn is a sum over gates, whose expectation and its gradient are known. The gradient of the class loss is
    REINFORCE's; its baseline is the loss of the same input served (self-critical: Rennie et al., CVPR 2017).
    """
    network.eval()
    served = cross_entropy(network(inputs)[0], labels, reduction="none")
    network.train()
    passed = network.masked(inputs, lambda logits: straight_through(logits, generator).detach())
    losses = cross_entropy(passed.outputs, labels, reduction="none")
    gain = (served - losses.detach()).clamp(-LIMIT, LIMIT)
    logits = _squeezed(passed.logits)
    drawn = binary_cross_entropy_with_logits(logits, passed.gates, reduction="none").sum(1)
    loss: Tensor = losses.mean() + ((gain - gain.mean()) * drawn).mean() + alpha * logits.sigmoid().mean()
    return loss


def _squeezed(logits: Tensor) -> Tensor:
    return BOUND * torch.tanh(logits / BOUND)
