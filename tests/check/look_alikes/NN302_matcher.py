"""Indices that a matcher found on the host, and tensors without a dimension or an element."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import nn


class Matcher(nn.Module):
    """Returns indices, which serve on any device."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    @torch.no_grad()
    def forward(self, cost: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        host = (cost * torch.tensor(self.weight)).cpu()  # NN404
        pairs = [linear_sum_assignment(one) for one in host]
        return [
            (torch.as_tensor(rows, dtype=torch.int64), torch.as_tensor(columns, dtype=torch.int64))
            for rows, columns in pairs
        ]


class Decoder(nn.Module):
    """Holds a place until the first level came."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.up = nn.ModuleList(nn.Linear(8, 8) for _ in range(levels))

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        summed = torch.empty(0)
        started = False
        for up, feature in zip(self.up, features, strict=True):
            summed = up(feature + summed) if started else up(feature)
            started = True
        return summed
