"""A cache that asks for the device, and a result of the last call that the next one replaces."""

import torch
from torch import nn


class Schedule(nn.Module):
    """Made anew for other lengths and devices."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: tuple[tuple[int, torch.device], torch.Tensor] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        key = (x.shape[-1], x.device)
        if self.ends is None or self.ends[0] != key:
            self.ends = (key, torch.arange(key[0], device=x.device))
        return x + self.ends[1]


class Tracker(nn.Module):
    """Follows a position; the number of points of a call is that of the call."""

    def __init__(self, step: nn.Module) -> None:
        super().__init__()
        self.step = step
        self.position: torch.Tensor | None = None
        self.points: int = 0

    def lost(self) -> None:
        self.position = None
        self.points = 0

    def begin(self, x: torch.Tensor) -> torch.Tensor:
        self.points = len(x)
        if self.points < 4:
            self.lost()
            return x
        with torch.no_grad():
            self.position = self.step(x).clone()
        return self.position

    def follow(self, x: torch.Tensor) -> torch.Tensor:
        self.points = len(x)
        if self.points < 4:
            self.lost()
            return x
        with torch.no_grad():
            self.position = self.step(x + self.position).clone()
        return self.position

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.position is not None:
            return self.follow(x)
        return self.begin(x)
