"""A table that a helper makes and its caller moves, or registers, is on the module's device."""

import torch
from torch import nn


class Positions(nn.Module):
    """Makes a longer table where an input needs it, and moves it at once."""

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("table", self._make(length), persistent=False)

    def _make(self, length: int) -> torch.Tensor:
        table = torch.zeros(length, self.width)
        table[:, 0] = torch.arange(length).float()
        return table

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[0] > self.table.shape[0]:
            return x + self._make(x.shape[0]).to(x.device)
        return x + self.table[: x.shape[0]]
