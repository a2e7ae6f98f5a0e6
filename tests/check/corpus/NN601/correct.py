import torch
from torch import nn


class Typed(nn.Module):
    def __init__(self, factor: float, *sizes: int, bias: bool = True, **options: str) -> None:
        super().__init__()
        self.factor = factor
        self.linear = nn.Linear(*sizes, bias=bias)
        self.options = options

    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return self.linear(x) * self.factor * scale


class OtherMethods(nn.Module):
    # Only the two that every caller meets.
    def forward(self, x: torch.Tensor) -> "torch.Tensor":
        return self.helper(x)

    def helper(self, x):
        return 2 * x


class _Private(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class Inherits(Typed):
    """Has neither of its own."""


class Plain:
    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def build(width):
    class Inner(nn.Module):
        # Local: nobody else can name it.
        def forward(self, x):
            return x * width

    return Inner()
