"""Faults of gradients."""

from typing import Any

import torch
from stated import WithLinear
from torch import Tensor, nn

from .entry import fails


@fails("gradients", says="weight: gets no gradient")
class ForgetsParameter(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))


@fails("gradients", says="first.weight: gets no gradient")
class DetachesBetween(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).detach()) + x


@fails("gradients", says="no floating-point input gets a gradient")
class DetachesInput(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.detach())


@fails("gradients", says="its gradient is not finite")
class InfiniteSlope(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight.sqrt()


class WrongSine(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.sin()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * x.sin()


@fails("gradcheck", says="Compare `backward` with the derivative of `forward`")
class WrongBackward(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return WrongSine.apply(self.linear(x))


@fails("gradcheck", says="Jacobian mismatch", inputs=lambda batch: (torch.randint(0, 5, (batch,)),))
class WrongBackwardBehindIndices(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return WrongSine.apply(self.embedding(x))
