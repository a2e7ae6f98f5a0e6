"""An explanation is fitted to each input, with an optimizer that `forward` brings along."""

import torch
from torch import nn


class Explainer(nn.Module):
    """Learns a mask of one input."""

    def __init__(self, model: nn.Module, steps: int) -> None:
        super().__init__()
        self.model = model
        self.steps = steps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = nn.Parameter(torch.randn_like(x))
        optimizer = torch.optim.Adam([mask], lr=0.01)
        for _ in range(self.steps):
            optimizer.zero_grad()
            self.model(x * mask.sigmoid()).sum().backward()
            optimizer.step()
        return mask.sigmoid().detach()
