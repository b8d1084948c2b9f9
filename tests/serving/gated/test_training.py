from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from serving.gated.descent import Schedule
from serving.gated.gate import Verdict
from serving.gated.network import GatedNetwork
from serving.gated.training import LIMIT, policy_loss, straight_through, train, train_plain
from tests.serving.gated.problems import dense, half_easy


def taught(alpha: float, epochs: int) -> GatedNetwork:
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    network = dense()
    inputs, labels, _ = half_easy(2000, generator)
    train_plain(network, inputs, labels, generator, Schedule(10, batch=125), progress=False)
    supervised, policy = Schedule(5, 0.005, 0.005, batch=125), Schedule(epochs, 0.005, 0.02, batch=125)
    train(network, inputs, labels, generator, supervised, policy, alpha, progress=False)
    return network


def test_gates_learn_to_skip_what_easy_inputs_do_not_need() -> None:
    network = taught(alpha=0.5, epochs=20)
    inputs, labels, hard = half_easy(2000, torch.Generator().manual_seed(2))
    outputs, depth = network(inputs)
    right = outputs.argmax(1) == labels
    assert right[hard].float().mean() > 0.9
    assert right[~hard].float().mean() > 0.99
    assert depth[hard].mean() < 2  # of three
    assert depth[~hard].mean() < depth[hard].mean() - 0.3


def test_skipping_that_earns_nothing_is_not_learned() -> None:
    network = taught(alpha=0.0, epochs=5)
    inputs, _, hard = half_easy(2000, torch.Generator().manual_seed(2))
    assert network(inputs)[1][hard].mean() > 2.0


def test_blocks_that_no_input_needs_are_closed_to_all() -> None:
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    network = dense()
    inputs, labels, hard = half_easy(2000, generator)
    inputs, labels = inputs[~hard], labels[~hard]
    train_plain(network, inputs, labels, generator, Schedule(3, batch=125), progress=False)
    policy = Schedule(15, 0.005, 0.02, batch=125)
    train(network, inputs, labels, generator, Schedule(1, 0.005, 0.005), policy, alpha=0.5, progress=False)
    outputs, depth = network(inputs)
    assert depth.max() == 0
    assert (outputs.argmax(1) == labels).float().mean() > 0.99


def test_an_input_that_any_skip_upsets_pulls_no_harder_than_the_limit() -> None:
    torch.manual_seed(1)
    generator, network = torch.Generator().manual_seed(1), dense(blocks=1)
    inputs, labels, _ = half_easy(200, generator)
    with torch.no_grad():
        network.head.weight.mul_(1000)  # type: ignore[operator]
    torch.autograd.backward(policy_loss(network, inputs, labels, generator, alpha=0.0))
    verdict = network.gate.verdicts[0]  # type: ignore[index]
    assert isinstance(verdict, Verdict)
    assert verdict.bias.grad is not None
    assert 0 < abs(float(verdict.bias.grad)) < verdict.in_features * 2 * LIMIT


def test_training_depends_on_the_seed_alone() -> None:
    inputs, _, _ = half_easy(50, torch.Generator().manual_seed(3))
    schedule = Schedule(1)
    found = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(1)
        torch.manual_seed(1)
        network, (vectors, labels, _) = dense(), half_easy(200, generator)
        train(network, vectors, labels, generator, schedule, schedule, progress=False)
        found.append(network(inputs)[0])
    assert torch.equal(*found)


def test_a_drawn_gate_is_hard_and_its_gradient_is_that_of_its_probability() -> None:
    logits = torch.tensor([-9.0, 0.0, 0.5, 9.0], requires_grad=True)
    gates = straight_through(logits, torch.Generator().manual_seed(1))
    assert set(gates.detach().round(decimals=6).tolist()) <= {0.0, 1.0}
    torch.autograd.backward(gates.sum())
    assert logits.grad is not None
    assert logits.grad[1] == pytest.approx(0.25)
    assert (logits.grad > 0).all()


def test_drawn_gates_keep_a_chance_of_either_way() -> None:
    logits = torch.tensor([-50.0, 50.0]).repeat(10_000, 1)
    shares = straight_through(logits, torch.Generator().manual_seed(1)).mean(0)
    # sd .0021 of 10,000 draws with probability .047: 5 of them are exceeded once in 10^6
    assert shares[0] == pytest.approx(0.047, abs=0.011)
    assert shares[1] == pytest.approx(0.953, abs=0.011)


def test_the_policy_gradient_opens_gates_where_skipping_costs_more_than_it_earns() -> None:
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    network = dense(blocks=1)
    inputs, labels, _ = half_easy(2000, generator)
    train_plain(network, inputs, labels, generator, Schedule(8), progress=False)

    def slope(alpha: float) -> float:
        network.zero_grad()
        torch.autograd.backward(policy_loss(network, inputs, labels, generator, alpha))
        bias = network.gate.verdicts[0].bias  # type: ignore[index, union-attr]
        return float(bias.grad)

    with torch.no_grad():
        skipped = network.masked(inputs, lambda logits: torch.zeros_like(logits)).outputs
        worth = cross_entropy(skipped, labels) - cross_entropy(network.plain(inputs), labels)
    assert slope(0.5 * float(worth)) < 0 < slope(2 * float(worth))
