import torch
from torch import nn


class Nothing(nn.Module):
    def __init__(self, factor):  # NN601
        super().__init__()
        self.factor = factor

    def forward(self, x):  # NN601
        return x * self.factor


class NoResult(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor):  # NN601
        return x * self.factor


class OneOfTwo(nn.Module):
    def __init__(self, width: int, bias=True) -> None:  # NN601
        super().__init__()
        self.linear = nn.Linear(width, width, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


class Rest(nn.Module):
    def __init__(self, *sizes, **options) -> None:  # NN601
        super().__init__()
        self.linear = nn.Linear(*sizes, **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


class KeywordOnly(nn.Module):
    def __init__(self) -> None:
        super().__init__()

    def forward(self, x: torch.Tensor, *, scale=1.0) -> torch.Tensor:  # NN601
        return x * scale


class Inherited(NoResult):
    def forward(self, x, y) -> torch.Tensor:  # NN601
        return super().forward(x) + y
