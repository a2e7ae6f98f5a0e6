"""These draw nothing unless they are told to, or run in training only."""

import torch
import torch.nn.functional as F
from torch import nn


class Quiet(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.rrelu(F.alpha_dropout(x, 0.5))


class InTraining(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        return F.dropout(x, 0.5)
