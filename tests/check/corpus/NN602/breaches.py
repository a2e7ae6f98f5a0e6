import torch
from torch import nn


class Nothing(nn.Module):  # NN602
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


class OneLine(nn.Module):  # NN602
    """Multiplies its input by a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


class NoShapes(nn.Module):  # NN602
    """Multiplies its input by a factor.

    Args:
        factor: What every element is multiplied by.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


class NoArguments(nn.Module):  # NN602
    """Multiplies its input by a factor.

    Shape:
        - Input: :math:`(*)`.
        - Output: the same shape as the input.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


class OneArgumentMissing(nn.Module):  # NN602
    """A linear map.

    Args:
        width: Size of the last dimension.

    Shape:
        - Input: :math:`(*, width)`.
        - Output: the same shape as the input.
    """

    def __init__(self, width: int, bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)
