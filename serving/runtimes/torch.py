"""PyTorch modules: exported programs, TorchScript, or a factory with weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name

import torch

from selector.decisions import Label
from serving.runtimes import Inputs, Returned


class Torch:
    """A module from a batch of arrays to logits or numbers, or to a pair of these and the cost of each input.

    The artifact is a `.pt2` of `torch.export.save` (whose constants may be pickles: the operator's own
    file, never from the network), or TorchScript; with `factory` ("package.module:function", which
    makes the module) it is a state_dict, of which only weights are loaded. `softmax` turns logits into
    probabilities of the model's classes; `bf16` computes in bfloat16 where that is safe; `price` is what
    one unit of the module's costs is in the owner's unit (for gated networks and early exits: one block).
    """

    def __init__(
        self,
        artifact: Path,
        device: str,
        classes: Sequence[Label] | None,
        /,
        factory: str | None = None,
        softmax: bool = True,
        bf16: bool = False,
        price: float = 1.0,
    ) -> None:
        self.classes = classes
        self._price = price
        self._softmax = softmax and classes is not None
        self._device = torch.device(device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
        self._bf16 = torch.autocast(self._device.type, torch.bfloat16, enabled=bf16)
        self._module = _load(artifact, factory, self._device)

    @torch.inference_mode()
    def predict_batch(self, inputs: Inputs) -> Returned:
        with self._bf16:
            returned = self._module(torch.as_tensor(inputs).to(self._device, non_blocking=True))
        outputs, costs = returned if isinstance(returned, tuple | list) else (returned, None)
        outputs = outputs.float()
        rows: Returned = (outputs.softmax(-1) if self._softmax else outputs).cpu().numpy()
        return rows if costs is None else self._priced(rows, (costs.float() * self._price).tolist())

    def _priced(self, rows: Returned, costs: list[float]) -> Returned:
        """Each row with its cost."""
        if self.classes is None:
            return [{"output": row.squeeze(), "cost": cost} for row, cost in zip(rows, costs, strict=True)]
        return [
            {"output": self.classes[row.argmax()], "probabilities": row, "cost": cost}
            for row, cost in zip(rows, costs, strict=True)
        ]


def _load(artifact: Path, factory: str | None, device: torch.device) -> torch.nn.Module:
    if factory is not None:
        module: torch.nn.Module = resolve_name(factory)()
        module.load_state_dict(torch.load(artifact, map_location=device, weights_only=True))
    elif artifact.suffix == ".pt2":
        return torch.export.load(artifact).module().to(device)
    else:
        module = torch.jit.load(artifact, map_location=device)  # type: ignore[no-untyped-call]
    return module.to(device).eval()
