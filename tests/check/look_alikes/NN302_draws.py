"""Indices that are drawn on the host, and the items of a row, which have no dimension."""

import torch
from torch import nn


class Selection(nn.Module):
    """Draws as many rows as the largest input has."""

    def forward(self, x: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        largest = sizes.max()
        chosen = torch.multinomial(torch.ones(x.shape[0]), largest)
        return x[chosen]


class Shaken(nn.Module):
    """Changes two settings a little."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        change = 1.0 + torch.rand(2) * 0.1
        return x * change[0] + change[1]
