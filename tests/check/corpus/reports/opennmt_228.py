"""OpenNMT/OpenNMT-py#228: a decoder's mask is moved by hand.

Its review asked for a buffer: the mask of a helper was plain, and `.cuda()` by an option.
"""

import torch
from torch import nn


class Reported(nn.Module):
    def __init__(self, width, longest, gpus):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.mask = self._subsequent(longest)  # NN201
        if len(gpus) > 0:
            self.mask = self.mask.cuda()  # NN301

    def _subsequent(self, size):
        return torch.ones(1, size, size).triu(1).bool()

    def forward(self, scores):
        length = scores.shape[1]
        return self.linear(scores).masked_fill(self.mask[:, :length, :length], 0.0)


class Corrected(nn.Module):
    def __init__(self, width, longest):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.register_buffer("mask", self._subsequent(longest), persistent=False)

    def _subsequent(self, size):
        return torch.ones(1, size, size).triu(1).bool()

    def forward(self, scores):
        length = scores.shape[1]
        return self.linear(scores).masked_fill(self.mask[:, :length, :length], 0.0)
