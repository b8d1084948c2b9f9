from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from selector.errors import InvalidSetting
from serving.gated.descent import Schedule
from serving.gated.exits import ExitNetwork, train_exits
from tests.serving.gated.problems import Dense, half_easy


def network(threshold: float = 0.9) -> ExitNetwork:
    torch.manual_seed(1)
    exits = {2: nn.Linear(16, 2), 1: nn.Linear(16, 2)}
    return ExitNetwork(nn.Linear(4, 16), [Dense(16) for _ in range(4)], nn.Linear(16, 2), exits, threshold).eval()


@pytest.fixture(scope="module")
def taught() -> ExitNetwork:
    taught, generator = network(), torch.Generator().manual_seed(1)
    inputs, labels, _ = half_easy(2000, generator)
    train_exits(taught, inputs, labels, generator, Schedule(10), progress=False)
    return taught


def test_nobody_leaves_where_the_threshold_is_out_of_reach() -> None:
    full, vectors = network(threshold=1.1), torch.randn(20, 4)
    outputs, depth = full(vectors)
    with torch.no_grad():
        assert torch.allclose(outputs, full.passed(vectors)[-1])
    assert depth.tolist() == [4] * 20


def test_all_leave_at_the_first_exit_where_the_threshold_is_none() -> None:
    early, vectors = network(threshold=0.0), torch.randn(20, 4)
    outputs, depth = early(vectors)
    with torch.no_grad():
        assert torch.allclose(outputs, early.passed(vectors)[0])
    assert depth.tolist() == [1] * 20


def test_everyone_gets_the_answer_of_the_exit_where_it_was_sure_first(taught: ExitNetwork) -> None:
    inputs, _, _ = half_easy(300, torch.Generator().manual_seed(2))
    outputs, depth = taught(inputs)
    with torch.no_grad():
        passed = taught.passed(inputs)
    for row in range(300):
        logits = [exit_logits[row] for exit_logits in passed]
        sure = [place for place, at in enumerate(logits[:-1]) if at.softmax(0).max() >= 0.9]
        place = sure[0] if sure else 2
        assert torch.allclose(outputs[row], logits[place], atol=1e-5)
        assert depth[row] == (1, 2, 4)[place]
    assert len(depth.unique()) > 1


def test_easy_inputs_leave_before_hard_ones(taught: ExitNetwork) -> None:
    inputs, labels, hard = half_easy(2000, torch.Generator().manual_seed(2))
    outputs, depth = taught(inputs)
    assert (outputs.argmax(1) == labels).float().mean() > 0.95
    assert depth[~hard].mean() < depth[hard].mean() - 0.1


def test_the_threshold_is_saved_with_the_weights(tmp_path: Path) -> None:
    torch.save(network(threshold=0.7).state_dict(), tmp_path / "exits.pt")
    other = network()
    other.load_state_dict(torch.load(tmp_path / "exits.pt", weights_only=True))
    assert other.threshold.item() == pytest.approx(0.7)


@pytest.mark.parametrize("place", [0, 4])
def test_an_exit_is_between_two_blocks(place: int) -> None:
    with pytest.raises(InvalidSetting, match=f"an exit after {place} of 4 blocks"):
        ExitNetwork(nn.Identity(), [nn.Identity()] * 4, nn.Identity(), {place: nn.Identity()})
