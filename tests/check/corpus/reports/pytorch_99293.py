"""pytorch/pytorch#99293: set SDPA's dropout by the training mode.

`scaled_dot_product_attention` has no `training` argument: dropout after `eval()` all the same.
"""

import torch
from torch import nn
from torch.nn import functional


class Reported(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.q = nn.Parameter(torch.rand(1, 4, 8, width))
        self.k = nn.Parameter(torch.rand(1, 4, 8, width))

    def forward(self, x):
        return torch.nn.functional.scaled_dot_product_attention(  # NN402
            self.q,
            self.k,
            x,
            is_causal=True,
            dropout_p=0.8,
        )


class Corrected(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.q = nn.Parameter(torch.rand(1, 4, 8, width))
        self.k = nn.Parameter(torch.rand(1, 4, 8, width))

    def forward(self, x):
        return functional.scaled_dot_product_attention(
            self.q, self.k, x, is_causal=True, dropout_p=0.8 if self.training else 0.0
        )
