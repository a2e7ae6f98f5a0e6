"""Activation checkpointing: the same results, and buffers that count every batch once."""

import copy

import torch
from torch import Tensor, nn

from digit_classifier.recompute import recompute_activations


class Network(nn.Module):
    """Blocks in a list, one of them with running statistics and one with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.GELU()),
                nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.GELU()),
            ]
        )
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def step(network: nn.Module, inputs: Tensor) -> Tensor:
    """Compute gradients, with dropout that is the same each time."""
    torch.manual_seed(3)
    loss: Tensor = network(inputs).square().sum()
    loss.backward()
    return loss.detach()


def pair() -> tuple[Network, Network]:
    """Return a network, and its like that recomputes."""
    plain = Network()
    other = copy.deepcopy(plain)
    recompute_activations(other)
    return plain, other


def test_results_gradients_and_names_are_the_same() -> None:
    plain, other = pair()
    inputs = torch.randn(6, 4)

    for _ in range(3):
        assert torch.equal(step(plain, inputs), step(other, inputs))

    for parameter, same in zip(plain.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, same.grad, rtol=0, atol=0)
    assert list(plain.state_dict()) == list(other.state_dict())


def test_running_statistics_count_every_batch_once() -> None:
    plain, other = pair()

    for _ in range(3):
        inputs = torch.randn(6, 4)
        step(plain, inputs)
        step(other, inputs)

    state = other.state_dict()
    assert state["blocks.0.1.num_batches_tracked"] == 3
    for name, value in plain.state_dict().items():
        assert torch.equal(state[name], value), name


def test_several_batches_may_wait_for_their_backward_pass() -> None:
    plain, other = pair()
    batches = torch.randn(2, 6, 4)

    for network in (plain, other):
        torch.manual_seed(3)
        sum(network(batch).sum() for batch in batches).backward()

    for parameter, same in zip(plain.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, same.grad)
    assert other.state_dict()["blocks.0.1.num_batches_tracked"] == 2


def test_less_is_kept_for_the_backward_pass() -> None:
    def kept(network: nn.Module) -> int:
        sizes = []

        def keep(tensor: Tensor) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            network(torch.randn(64, 4))
        return sum(sizes)

    plain, other = pair()

    assert kept(other) < kept(plain) / 2


def test_without_gradients_nothing_changes() -> None:
    plain, other = pair()
    inputs = torch.randn(6, 4)

    with torch.no_grad():
        assert torch.equal(plain.eval()(inputs), other.eval()(inputs))
