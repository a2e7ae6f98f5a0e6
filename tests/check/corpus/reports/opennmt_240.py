"""OpenNMT/OpenNMT-py#240: a mask that was to become a buffer had its name taken by itself.

In its discussion: what is assigned first keeps `register_buffer` from registering it. That was silent
in the torch of the time, and is a KeyError in today's (pytorch/pytorch#1874, #3232).
"""

import torch
from torch import nn


class Reported(nn.Module):
    def __init__(self, width, longest):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.mask = self._subsequent(longest)  # NN201
        self.register_buffer("mask", self.mask)

    @staticmethod
    def _subsequent(size):
        return torch.ones(size, size).triu(1).bool()

    def forward(self, scores):
        return self.linear(scores).masked_fill(self.mask, 0.0)


class ReportedLater(nn.Module):
    def __init__(self, width, causal):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.mask = None  # NN201
        if causal:
            self.register_buffer("mask", torch.ones(width).bool())

    def forward(self, scores):
        scores = self.linear(scores)
        return scores if self.mask is None else scores.masked_fill(self.mask, 0.0)


class Corrected(nn.Module):
    def __init__(self, width, longest):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.register_buffer("mask", torch.ones(longest, longest).triu(1).bool())

    def forward(self, scores):
        return self.linear(scores).masked_fill(self.mask, 0.0)


class CorrectedLater(nn.Module):
    def __init__(self, width, causal):
        super().__init__()
        self.linear = nn.Linear(width, width)
        if causal:
            self.register_buffer("mask", torch.ones(width).bool())
        else:
            self.mask = None

    def forward(self, scores):
        scores = self.linear(scores)
        return scores if self.mask is None else scores.masked_fill(self.mask, 0.0)


class CorrectedByNone(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.register_buffer("mask", None)
        self.mask = torch.ones(width).bool()

    def forward(self, scores):
        return self.linear(scores).masked_fill(self.mask, 0.0)
