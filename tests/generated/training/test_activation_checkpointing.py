"""Activation checkpointing: the same results with less memory, and buffers that count once."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import itertools
from typing import TYPE_CHECKING, Any

import pytest
import torch
from digits.distributed.processes import SINGLE
from digits.distributed.wrap import ParallelModel
from digits.training.config import TrainConfig
from torch import Tensor, nn

from .running import PACKAGES
from .test_step import config_of

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = TrainConfig(device="cpu", activation_checkpointing=True)


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
        output: Tensor = self.head(x)
        return output


def pair() -> tuple[nn.Module, nn.Module]:
    """Return a network, and its like that computes activations twice."""
    plain = Network()
    other = ParallelModel(copy.deepcopy(plain), CONFIG, SINGLE, torch.device("cpu"))
    return plain, other.network


def step(network: nn.Module, inputs: Tensor) -> Tensor:
    """Compute gradients, with dropout that is the same each time."""
    torch.manual_seed(3)
    loss: Tensor = network(inputs).square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def saved(compute: Callable[[], object]) -> int:
    """Count the numbers that are kept for the backward pass."""
    sizes = []

    def keep(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        compute()
    return sum(sizes)


def test_results_gradients_names_and_statistics_are_the_same() -> None:
    plain, other = pair()

    for _ in range(3):
        inputs = torch.randn(6, 4)
        assert torch.equal(step(plain, inputs), step(other, inputs))

    for parameter, same in zip(plain.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, same.grad, rtol=0, atol=0)
    state = other.state_dict()
    assert list(plain.state_dict()) == list(state)
    assert state["blocks.0.1.num_batches_tracked"] == 3
    for name, value in plain.state_dict().items():
        assert torch.equal(state[name], value), name
    with torch.no_grad():
        assert torch.equal(plain.eval()(inputs), other.eval()(inputs))


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
    plain, other = pair()

    of_plain, of_other = (
        saved(lambda network=network: network(torch.randn(64, 4))) for network in (plain, other)
    )

    assert of_other < of_plain / 2


@pytest.mark.parametrize("package", PACKAGES)
def test_a_task_s_model_learns_the_same(package: str) -> None:
    trainers = importlib.import_module(f"{package}.training.trainer")
    results: list[dict[str, Any]] = []
    for activation_checkpointing in (False, True):
        config = dataclasses.replace(
            config_of(package, batch_size=24),
            activation_checkpointing=activation_checkpointing,
        )
        trainer = trainers.Trainer(config)
        list(itertools.islice(trainer.steps(), 3))
        results.append(trainer.model.state_dict())

    for name, value in results[0].items():
        assert torch.equal(results[1][name], value), name


def test_a_transformer_keeps_a_block_s_input_alone() -> None:
    trainers, objective = (
        importlib.import_module(f"sequence.{name}")
        for name in ("training.trainer", "task.objective")
    )
    kept = []
    for activation_checkpointing in (False, True):
        model = {"features": 32, "num_heads": 4, "depth": 6}
        config = dataclasses.replace(
            config_of("sequence", batch_size=8, model=model),
            activation_checkpointing=activation_checkpointing,
        )
        trainer = trainers.Trainer(config)
        batch = next(iter(trainer.loader))
        kept.append(saved(lambda: objective.loss(trainer.parallel.network, batch)))  # noqa: B023

    assert kept[1] < kept[0] / 4
