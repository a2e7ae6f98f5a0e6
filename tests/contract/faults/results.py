"""Faults of what is built and of what forward returns."""

from typing import Any

import torch
import torch.nn.functional as F
from stated import WithLinear
from torch import Tensor, nn

from .entry import fails


@fails("parameters", says="20 elements in all, stated are 16", parameter_count=16)
def wrong_count() -> nn.Module:
    return WithLinear()


@fails("parameters", says="16 elements trainable, stated are 20", parameter_count=20)
def frozen_count() -> nn.Module:
    module = WithLinear()
    module.linear.bias.requires_grad_(False)
    return module


@fails(
    "parameters",
    says="linear.weight: has shape (4, 4), stated is (4, 3)",
    parameter_shapes={"linear.weight": (4, 3), "linear.bias": (4,)},
)
def wrong_shapes() -> nn.Module:
    return WithLinear()


@fails(
    "parameters",
    says="linear.bias: has shape (4,), stated is None",
    parameter_shapes={"linear.weight": (4, 4)},
)
def unstated_parameter() -> nn.Module:
    return WithLinear()


@fails("forward", says="returns shape (3, 4), stated is (3, 5)", shape=lambda batch: (batch, 5))
def wrong_output() -> nn.Module:
    return WithLinear()


@fails("forward", says="in training mode raises ValueError: no training here")
class OnlyInEval(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise ValueError("no training here")
        return self.linear(x)


@fails("construction", says="results.py")
class WillNotBuild(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        raise ValueError("width must be even")


@fails("construction", says="which is not an `nn.Module`")
def no_module() -> Any:
    return F.relu


@fails("output_dtype", says="is torch.float64")
class Upcasts(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).double()


@fails("finite_output", says="NaN")
class LogOfNegative(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sqrt(self.linear(x).abs() - 100)


@fails("mode_switch", says="linear: `train()` does not reach it")
class OverridesTrain(WithLinear):
    def train(self, mode: bool = True) -> "OverridesTrain":
        self.training = mode
        self.linear.training = False
        return self


@fails("mode_switch", says="linear: the constructor freezes it in eval mode")
class ThawsChild(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.linear.requires_grad_(False).eval()


@fails("mode_difference", says="does more than set `training`")
class TrainDoublesScale(WithLinear):
    scale = 1.0

    def train(self, mode: bool = True) -> "TrainDoublesScale":
        self.scale = 2.0 if mode else 1.0
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.scale
