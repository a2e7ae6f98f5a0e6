"""A scale computed of numbers has no dimension, so it meets tensors of any device."""

import torch
from torch import nn


class Embeddings(nn.Module):
    """Scaled by the root of their width."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.table = nn.Embedding(count, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.table(x)
        return x * torch.tensor(self.width**0.5, dtype=x.dtype)
