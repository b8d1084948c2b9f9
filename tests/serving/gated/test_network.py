from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from selector.errors import InvalidSetting
from serving.gated.gate import ConvolutionalGate, Gate, RecurrentGate
from serving.gated.network import GatedNetwork
from tests.serving.gated.problems import IMAGES, convolutional, dense

GATES = pytest.mark.parametrize("gate", [RecurrentGate, ConvolutionalGate])


@GATES
@pytest.mark.parametrize("count", [1, 2, 33])
def test_a_compacted_batch_gives_what_a_masked_one_gives(gate: type[Gate], count: int) -> None:
    network, images = convolutional(gate), torch.randn(count, *IMAGES)
    outputs, depth = network(images)
    with torch.no_grad():
        masked = network.masked(images, lambda logits: (logits > 0).float())
    assert torch.allclose(outputs, masked.outputs, atol=1e-5)
    assert torch.equal(depth, masked.gates.sum(1))


@GATES
def test_inputs_of_one_batch_take_different_depths(gate: type[Gate]) -> None:
    _, depth = convolutional(gate)(torch.randn(200, *IMAGES))
    assert len(depth.unique()) >= 3


def test_an_answer_does_not_depend_on_the_rest_of_the_batch() -> None:
    network, images = convolutional(), torch.randn(20, *IMAGES)
    outputs, depth = network(images)
    alone = [network(image.unsqueeze(0)) for image in images]
    assert torch.allclose(outputs, torch.cat([output for output, _ in alone]), atol=1e-5)
    assert torch.equal(depth, torch.cat([depth for _, depth in alone]))


def test_a_block_runs_on_the_inputs_that_count_it_and_on_no_others() -> None:
    network, ran = convolutional(), []
    for block in network.blocks:
        block.register_forward_pre_hook(lambda _, given: ran.append(len(given[0])))
    _, depth = network(torch.randn(50, *IMAGES))
    assert 0 < sum(ran) == depth.sum() < 50 * len(network.blocks)


def test_open_gates_give_the_network_without_gates() -> None:
    network, vectors = dense(), torch.randn(9, 4)
    outputs, depth = network(vectors)  # new gates are open
    assert torch.allclose(outputs, network.plain(vectors))
    assert depth.tolist() == [3] * 9


def test_closed_gates_give_the_shortcuts_alone() -> None:
    network, images = convolutional(), torch.randn(5, *IMAGES)
    for verdict in network.gate.verdicts:  # type: ignore[union-attr]
        nn.init.constant_(verdict.bias, -1e6)
    outputs, depth = network(images)
    with torch.no_grad():
        features = network.stem(images)
        for block in network.blocks:
            features = block.shortcut(features)  # type: ignore[operator]
        assert torch.allclose(outputs, network.head(features))
    assert depth.tolist() == [0] * 5


def test_weights_make_another_network_the_same(tmp_path: Path) -> None:
    network, images = convolutional(), torch.randn(30, *IMAGES)
    torch.save(network.state_dict(), tmp_path / "gated.pt")
    other = convolutional()
    nn.init.zeros_(other.head[-1].weight)  # type: ignore[index]
    other.load_state_dict(torch.load(tmp_path / "gated.pt", weights_only=True))
    for mine, its in zip(network(images), other(images), strict=True):
        assert torch.equal(mine, its)


def test_a_block_that_changes_the_shape_needs_a_shortcut() -> None:
    blocks = [nn.Linear(4, 4), nn.Linear(4, 3)]
    with pytest.raises(InvalidSetting, match=r"block 1 turns \(2, 4\) into \(2, 3\), but an input that skips it"):
        GatedNetwork(nn.Identity(), blocks, nn.Linear(3, 2), torch.zeros(2, 4))


def test_a_block_that_does_not_fit_the_one_before_is_named() -> None:
    blocks = [nn.Linear(4, 4), nn.Linear(5, 5)]
    with pytest.raises(InvalidSetting, match=r"block 1 does not take features of shape \(2, 4\)"):
        GatedNetwork(nn.Identity(), blocks, nn.Linear(5, 2), torch.zeros(2, 4))


def test_a_shortcut_called_downsample_serves_too() -> None:
    class Downsampled(nn.Linear):
        def __init__(self) -> None:
            super().__init__(4, 2)
            self.downsample = nn.Linear(4, 2)

    network = GatedNetwork(nn.Identity(), [Downsampled()], nn.Identity(), torch.zeros(2, 4))
    nn.init.constant_(network.gate.verdicts[0].bias, -1e6)  # type: ignore[index, union-attr]
    vectors = torch.randn(3, 4)
    assert torch.equal(network(vectors)[0], network.blocks[0].downsample(vectors))  # type: ignore[operator]
