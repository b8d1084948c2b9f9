"""A network that answers early: inputs that an exit is confident about leave there, and the batch shrinks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from selector.errors import InvalidSetting
from serving.gated.descent import Schedule, descend


class ExitNetwork(nn.Module):
    """`head(blocks(stem(inputs)))`, with classifiers on the way (BranchyNet, ICPR 2016).

    `exits` are by the number of blocks before them. An input leaves at the first exit whose highest class
    probability is at least `threshold`, which is saved with the weights: above 1 nobody leaves. Raises InvalidSetting
    for an exit that is not between two blocks.

    Called, it gives logits `[n, classes]` and the depth `[n]` of each input: the number of blocks that it
    ran. It is saved and served as a `GatedNetwork` is.
    """

    threshold: Tensor

    def __init__(
        self,
        stem: nn.Module,
        blocks: Iterable[nn.Module],
        head: nn.Module,
        exits: Mapping[int, nn.Module],
        threshold: float = 0.9,
    ) -> None:
        super().__init__()
        self.stem, self.blocks, self.head = stem, nn.ModuleList(blocks), head
        for place in exits:
            if not 0 < place < len(self.blocks):
                raise InvalidSetting(f"an exit after {place} of {len(self.blocks)} blocks is not between two of them")
        self.exits = nn.ModuleDict({str(place): exits[place] for place in sorted(exits)})
        self.register_buffer("threshold", torch.tensor(float(threshold)))

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Each block gets only the inputs that have not left, compacted to a smaller batch."""
        features, rows = self.stem(inputs), torch.arange(len(inputs), device=inputs.device)
        left: list[tuple[Tensor, Tensor, int]] = []
        for depth, block in enumerate(self.blocks, 1):
            features = block(features)
            if str(depth) not in self.exits:
                continue
            logits = self.exits[str(depth)](features)
            sure = logits.softmax(1).amax(1) >= self.threshold
            left.append((rows[sure], logits[sure], depth))
            rows, features = rows[~sure], features[~sure]
            if not len(rows):
                break
        else:
            left.append((rows, self.head(features), len(self.blocks)))
        return _in_order(left)

    def passed(self, inputs: Tensor) -> list[Tensor]:
        """The logits of every exit and of the head, which nobody leaves before; differentiable."""
        features, logits = self.stem(inputs), []
        for depth, block in enumerate(self.blocks, 1):
            features = block(features)
            if str(depth) in self.exits:
                logits.append(self.exits[str(depth)](features))
        return [*logits, self.head(features)]


def train_exits(
    network: ExitNetwork,
    inputs: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    schedule: Schedule,
    progress: bool = True,
) -> None:
    """Train blocks, exits and head together on the mean of their class losses; a bar shows the progress."""

    def loss(inputs: Tensor, labels: Tensor) -> Tensor:
        losses = [cross_entropy(logits, labels) for logits in network.passed(inputs)]
        return torch.stack(losses).mean()

    descend(network, loss, inputs, labels, generator, schedule, "early exits" if progress else None)


def _in_order(left: list[tuple[Tensor, Tensor, int]]) -> tuple[Tensor, Tensor]:
    """Logits and depths of all who left, in the order of their rows."""
    order = torch.cat([rows for rows, _, _ in left]).argsort()
    depths = torch.cat([torch.full_like(rows, depth, dtype=torch.float32) for rows, _, depth in left])
    return torch.cat([logits for _, logits, _ in left])[order], depths[order]
