"""A residual network whose blocks are skipped by inputs that do not need them (SkipNet, ECCV 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from msgspec import Struct
from torch import Tensor, nn

from selector.errors import InvalidSetting
from serving.gated.gate import Gate, RecurrentGate

Decide = Callable[[Tensor], Tensor]
"""From a gate's logits `[n]` to weights `[n]` of its block: 1 to run it, 0 to skip it."""


class Passed(Struct, frozen=True):
    """A batch after a masked pass: `outputs` of the head; `logits` and `gates`, both `[n, blocks]`, as decided."""

    outputs: Tensor
    logits: Tensor
    gates: Tensor


class GatedNetwork(nn.Module):
    """`head(blocks(stem(inputs)))`, each block behind a gate.

    An input that skips a block takes its `shortcut` (of ours) or `downsample` (of torchvision's blocks),
    or passes unchanged, so any module is a block whose result has the shape that this has. `example` is a batch
    of inputs, by which that is checked; `gate` makes the gates. Raises InvalidSetting for blocks that do not fit.

    Called, it gives outputs and the depth `[n]` of each input: the number of blocks that it ran. Save its
    `state_dict()`, and serve it by the `torch` runtime with `options.factory` naming a function that makes it.
    """

    def __init__(
        self,
        stem: nn.Module,
        blocks: Iterable[nn.Module],
        head: nn.Module,
        example: Tensor,
        gate: Callable[[Sequence[int]], Gate] = RecurrentGate,
    ) -> None:
        super().__init__()
        self.stem, self.blocks, self.head = stem, nn.ModuleList(blocks), head
        self.gate = gate(_channels(self, example))

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Each block gets only the inputs that do not skip it, compacted to a smaller batch."""
        features, memory = self.stem(inputs), None
        runs = []
        for index, block in enumerate(self.blocks):
            logits, memory = self.gate(index, features, memory)
            run = logits > 0
            runs.append(run)
            features = _compacted(block, features, run.nonzero().squeeze(1))
        return self.head(features), torch.stack(runs).sum(0, dtype=torch.float32)

    def masked(self, inputs: Tensor, decide: Decide) -> Passed:
        """Every block runs on every input and counts by its gate's weight: differentiable, and saves nothing."""
        features, memory = self.stem(inputs), None
        logits, gates = [], []
        for index, block in enumerate(self.blocks):
            logit, memory = self.gate(index, features, memory)
            gate = decide(logit)
            weight = gate.reshape(-1, *[1] * (features.ndim - 1))
            features = weight * block(features) + (1 - weight) * _shortcut(block)(features)
            logits.append(logit)
            gates.append(gate)
        return Passed(self.head(features), torch.stack(logits, 1), torch.stack(gates, 1))

    def plain(self, inputs: Tensor) -> Tensor:
        """The outputs of the network without gates."""
        features = self.stem(inputs)
        for block in self.blocks:
            features = block(features)
        outputs: Tensor = self.head(features)
        return outputs


def _compacted(block: nn.Module, features: Tensor, rows: Tensor) -> Tensor:
    """The block's results in `rows`, its shortcut's in the others."""
    if len(rows) == len(features):
        ran: Tensor = block(features)
        return ran
    passed: Tensor = _shortcut(block)(features)
    return passed.index_copy(0, rows, block(features[rows])) if len(rows) else passed


def _shortcut(block: nn.Module) -> nn.Module:
    """What stands in for a block that is skipped."""
    for name in ("shortcut", "downsample"):
        found = getattr(block, name, None)
        if isinstance(found, nn.Module):
            return found
    return _UNCHANGED


_UNCHANGED = nn.Identity()


@torch.no_grad()
def _channels(network: GatedNetwork, example: Tensor) -> list[int]:
    """The channels that enter each block, found by running the example; the network is left as it was."""
    training, channels = network.training, []
    network.eval()
    features = network.stem(example)
    for index, block in enumerate(network.blocks):
        channels.append(features.shape[1])
        features = _checked(index, block, features)
    network.train(training)
    return channels


def _checked(index: int, block: nn.Module, features: Tensor) -> Tensor:
    found = tuple(features.shape)
    try:
        ran: Tensor = block(features)
        skipped: Tensor = _shortcut(block)(features)
    except RuntimeError as error:
        raise InvalidSetting(f"block {index} does not take features of shape {found}: {error}") from error
    if ran.shape != skipped.shape:
        raise InvalidSetting(
            f"block {index} turns {found} into {tuple(ran.shape)}, but an input that skips it into "
            f"{tuple(skipped.shape)}; give it a `shortcut` of the same shape"
        )
    return ran
