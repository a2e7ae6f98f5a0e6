"""meta-pytorch/torchtune#1791: dropout in SDPA is not handled by the training mode.

The probability goes in by position, as it is configured; the docstring promised the guard.
"""

from torch import nn
from torch.nn import functional as F


class Reported(nn.Module):
    def __init__(self, width, dropout=0.0):
        super().__init__()
        self.project = nn.Linear(width, 3 * width)
        self.dropout = dropout

    def forward(self, x, mask=None):
        q, k, v = self.project(x).chunk(3, dim=-1)
        return F.scaled_dot_product_attention(q, k, v, mask, self.dropout)  # NN402


class Corrected(nn.Module):
    def __init__(self, width, dropout=0.0):
        super().__init__()
        self.project = nn.Linear(width, 3 * width)
        self.dropout = dropout

    def forward(self, x, mask=None):
        q, k, v = self.project(x).chunk(3, dim=-1)
        dropout = self.dropout if self.training else 0.0
        return F.scaled_dot_product_attention(q, k, v, mask, dropout)
