"""Narrow types: in the matrix products only, and with gradients that neither vanish nor explode."""

import dataclasses
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from digit_classifier.config import (
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    TrainConfig,
)
from digit_classifier.training import Trainer

CONFIG = TrainConfig(
    device="cpu",
    data=DataConfig(batch_size=256),
    model=ModelConfig(channels=4, hidden_features=8),
)
Precision = Literal["fp32", "bf16", "fp16"]
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_products_take_the_type_and_weights_do_not(precision: Precision) -> None:
    trainer = Trainer(dataclasses.replace(CONFIG, precision=precision))
    seen: list[torch.dtype] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Linear):
            seen.append(output.dtype)

    for module in trainer.model.modules():
        module.register_forward_hook(note)
    trainer.train_epoch(lambda: None)

    assert set(seen) == {TYPES[precision]}
    for name, value in trainer.model.state_dict().items():
        assert not value.is_floating_point() or value.dtype == torch.float32, name
    seen.clear()
    trainer.validate()
    assert set(seen) == {torch.float32}


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_narrow_type_learns_as_well(precision: Precision) -> None:
    def loss(config: TrainConfig) -> float:
        trainer = Trainer(config)
        return [trainer.train_epoch(lambda: None) for _ in range(3)][-1]

    narrow = dataclasses.replace(CONFIG, precision=precision)

    assert loss(narrow) == pytest.approx(loss(CONFIG), rel=0.05)


def test_a_step_with_gradients_too_large_is_left_out() -> None:
    trainer = Trainer(dataclasses.replace(CONFIG, precision="fp16"))
    trainer.scaler.load_state_dict(trainer.scaler.state_dict() | {"scale": 2.0**60})
    before = [parameter.clone() for parameter in trainer.model.parameters()]
    unchanged: list[bool] = []

    def compare() -> None:
        pairs = zip(before, trainer.model.parameters(), strict=True)
        unchanged.append(all(torch.equal(old, new) for old, new in pairs))

    trainer.train_epoch(compare)

    assert unchanged[0]
    assert trainer.scaler.get_scale() < 2.0**60
    assert trainer.step == trainer.sampler.steps


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_no_gradient_is_longer_than_the_limit(precision: Precision, accumulation: int) -> None:
    def lengths(clip_norm: float) -> list[float]:
        optimizer = OptimizerConfig(clip_norm=clip_norm)
        config = dataclasses.replace(CONFIG, precision=precision, optimizer=optimizer)
        trainer = Trainer(dataclasses.replace(config, accumulation=accumulation))
        found: list[float] = []

        def measure() -> None:
            gradients = [value.grad for value in trainer.model.parameters()]
            length = nn.utils.get_total_norm([each for each in gradients if each is not None])
            if length.isfinite():
                found.append(length.item())

        trainer.train_epoch(measure)
        return found

    assert max(lengths(clip_norm=0.05)) == pytest.approx(0.05, rel=1e-3)
    if precision == "fp32":
        assert max(lengths(clip_norm=0.0)) > 0.05
