"""NVIDIA/Megatron-LM#411: after one evaluation the dropout is 0 forever.

The mode is written into the attribute that the next training step reads.
"""

from torch import nn
from torch.nn import functional as F


class Reported(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.dropout = dropout

    def forward(self, q, k, v):
        if not self.training:
            self.dropout = 0.0  # NN207
        weights = F.dropout((q @ k.mT).softmax(-1), self.dropout, training=self.training)
        return weights @ v


class Corrected(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.dropout = dropout

    def forward(self, q, k, v):
        dropout = self.dropout if self.training else 0.0
        weights = F.dropout((q @ k.mT).softmax(-1), dropout, training=self.training)
        return weights @ v
