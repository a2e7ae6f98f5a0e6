"""Narrow types: in the matrix products only, and with gradients that neither vanish nor explode."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from digits.task.settings import ModelConfig
from digits.training.config import OptimizerConfig, TrainConfig
from digits.training.trainer import Trainer
from torch import Tensor, nn

CONFIG = TrainConfig(
    device="cpu",
    batch_size=256,
    model=ModelConfig(channels=4, hidden_features=8),
)
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def changed(**settings: Any) -> TrainConfig:
    """Return the settings with others in their place."""
    return dataclasses.replace(CONFIG, **settings)


def take_epoch(trainer: Trainer) -> float:
    """Train an epoch and return its loss."""
    for _ in trainer.steps():
        pass
    return trainer.finish_epoch()[0]


@pytest.mark.parametrize("precision", TYPES)
def test_products_take_the_type_and_weights_do_not(precision: str) -> None:
    trainer = Trainer(changed(precision=precision))
    seen: list[torch.dtype] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Linear):
            seen.append(output.dtype)

    for module in trainer.model.modules():
        module.register_forward_hook(note)
    take_epoch(trainer)

    assert set(seen) == {TYPES[precision]}
    for name, value in trainer.model.state_dict().items():
        assert not value.is_floating_point() or value.dtype == torch.float32, name
    seen.clear()
    trainer.validate()
    assert set(seen) == {torch.float32}


def test_a_narrow_type_learns_as_well() -> None:
    losses = {}
    for precision in TYPES:
        trainer = Trainer(changed(precision=precision))
        losses[precision] = [take_epoch(trainer) for _ in range(3)][-1]

    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05)
    assert losses["fp16"] == pytest.approx(losses["fp32"], rel=0.05)
    assert len(set(losses.values())) == 3


def test_a_step_with_gradients_too_large_is_left_out() -> None:
    trainer = Trainer(changed(precision="fp16"))
    trainer.scaler.load_state_dict(trainer.scaler.state_dict() | {"scale": 2.0**60})
    before = [parameter.clone() for parameter in trainer.model.parameters()]

    next(trainer.steps())

    pairs = zip(before, trainer.model.parameters(), strict=True)
    assert all(torch.equal(old, new) for old, new in pairs)
    assert trainer.scaler.get_scale() < 2.0**60
    assert trainer.step == 1


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("micro_steps", [1, 2])
def test_no_gradient_is_longer_than_the_limit(precision: str, micro_steps: int) -> None:
    def lengths(max_grad_norm: float) -> list[float]:
        optimizer = OptimizerConfig(max_grad_norm=max_grad_norm)
        config = changed(precision=precision, optimizer=optimizer, grad_accum_steps=micro_steps)
        trainer = Trainer(config)
        found: list[float] = []
        for _ in trainer.steps():
            gradients = [value.grad for value in trainer.model.parameters()]
            length = nn.utils.get_total_norm([each for each in gradients if each is not None])
            if length.isfinite():
                found.append(length.item())
        return found

    assert max(lengths(max_grad_norm=0.05)) == pytest.approx(0.05, rel=1e-3)
    if precision == "fp32":
        assert max(lengths(max_grad_norm=0.0)) > 0.05
