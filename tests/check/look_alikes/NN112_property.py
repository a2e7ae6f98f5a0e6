"""A layer that only the getter of a property uses, which has a setter, too."""

import torch
from torch import nn


class Scaled(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    @property
    def size(self) -> torch.Tensor:
        return self.linear.weight.norm()

    @size.setter
    def size(self, value: float) -> None:
        raise AttributeError("the size follows from the weights")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / self.size
