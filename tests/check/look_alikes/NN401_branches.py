"""A name that every branch binds anew is the caller's tensor no more."""

import torch
from torch import nn


class Block(nn.Module):
    """The sum in place is on what a layer returned."""

    def __init__(self, width: int, shortcut: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width)
        self.identity = nn.BatchNorm1d(width) if shortcut else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.identity is None:
            x = self.layer(x)
        else:
            identity = self.identity(x)
            x = self.layer(x)
            x += identity
        return x


class Scaled(nn.Module):
    """Both branches replace it, so what follows may write."""

    def forward(self, x: torch.Tensor, double: bool) -> torch.Tensor:
        if double:
            x = x * 2
            x = x + 1
        else:
            x = x.clone()
        x += 1
        return x


class Counted(nn.Module):
    """The number is one, once it was fetched; the fetch is what NN404 is about."""

    def forward(self, x: torch.Tensor, count: int | None = None) -> torch.Tensor:
        if count is None:
            count = x.shape[0] * 2
            count = count + 1
            if count > 4:
                x = x * 2
        return x
