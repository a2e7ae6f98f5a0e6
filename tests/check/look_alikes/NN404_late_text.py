"""The text of a check is made where the check failed."""

import torch
from torch import nn


class Merge(nn.Module):
    """Puts features where the mask is."""

    def forward(self, mask: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        count = mask.sum()
        torch._check(
            features.shape[0] <= mask.numel(), lambda: f"{features.shape[0]} for {int(count)}"
        )
        return mask.unsqueeze(-1).expand(-1, features.shape[-1]) * 1.0
