"""What a tensor says about itself needs no look at its values."""

import torch
from torch import nn


class Plain(nn.Module):
    """Copies what inference mode made."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clone() if x.is_inference() else x
        if x.is_floating_point() and not x.is_sparse:
            x = x * 2
        return x
