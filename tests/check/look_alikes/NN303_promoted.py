"""Angles in the dtype of a tensor that was cast to float32 before."""

import torch
from torch import nn


class Angles(nn.Module):
    """Works in float32 and casts the result."""

    def forward(self, histograms: torch.Tensor) -> torch.Tensor:
        dtype = histograms.dtype
        histograms = histograms.to(torch.promote_types(dtype, torch.float32))
        angles = torch.arange(
            histograms.shape[-1], dtype=histograms.dtype, device=histograms.device
        )
        return (histograms * torch.cos(angles)).to(dtype)
