"""NVIDIA/Megatron-LM#1649: `lru_cache` on a rotary embedding's forward.

The module is part of the key: each layer has entries of its own, and none is ever freed.
"""

from functools import lru_cache

import torch
from torch import nn


class Reported(nn.Module):
    def __init__(self, width):
        super().__init__()
        rate = 10000.0 ** (-torch.arange(0, width, 2) / width)
        self.register_buffer("rate", rate, persistent=False)

    @lru_cache(maxsize=32)  # NN206
    def forward(self, length: int, offset: int = 0):
        position = torch.arange(length, device=self.rate.device) + offset
        return torch.outer(position, self.rate)


class Corrected(nn.Module):
    def __init__(self, width):
        super().__init__()
        rate = 10000.0 ** (-torch.arange(0, width, 2) / width)
        self.register_buffer("rate", rate, persistent=False)

    def forward(self, length: int, offset: int = 0):
        position = torch.arange(length, device=self.rate.device) + offset
        return torch.outer(position, self.rate)
