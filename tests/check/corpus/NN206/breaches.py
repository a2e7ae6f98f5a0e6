from functools import cache, lru_cache

import torch
from torch import nn


class MaskByLength(nn.Module):
    # Compared by length alone: the next device gets the first one's mask.
    def __init__(self):
        super().__init__()
        self.mask = None

    def forward(self, x):
        length = x.shape[1]
        if self.mask is None or self.mask.shape[0] != length:
            self.mask = torch.ones(length, length, device=x.device).tril()  # NN206
        return x @ self.mask


class OnFirstCall(nn.Module):
    def forward(self, x):
        if not hasattr(self, "position"):
            self.position = torch.arange(x.shape[1], device=x.device)  # NN206
        return x + self.position


class InDict(nn.Module):
    def __init__(self):
        super().__init__()
        self._tables = {}

    def forward(self, x):
        length = x.shape[1]
        if length not in self._tables:
            self._tables[length] = torch.hann_window(length, device=x.device)  # NN206
        return x * self._tables[length]


class CachedMethod(nn.Module):
    # Keeps the module alive, too.
    @lru_cache(maxsize=8)  # NN206
    def _bias(self, length):
        return torch.arange(length).neg().float()

    def forward(self, x):
        return x + self._bias(x.shape[1]).to(x.device)


class CachedFunction(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    @staticmethod
    @cache  # NN206
    def _window(width):
        return torch.hamming_window(width)

    def forward(self, x):
        return x * self._window(self.width).to(x.device)


class Rotary(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width
        self.cached_length = 0
        self.cos = None

    def _extend(self, length, device):
        rate = 10000.0 ** (-torch.arange(0, self.width, device=device) / self.width)
        position = torch.arange(length, device=device)
        self.cos = torch.outer(position, rate).cos()  # NN206

    def forward(self, x):
        if self.cos is None or len(self.cos) < x.shape[1]:
            self._extend(x.shape[1], x.device)
        return x * self.cos[: x.shape[1]]


class GradMode(nn.Module):
    # Computed under no_grad once, and a constant for the training that follows.
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width))
        self.merged = None

    def forward(self, x):
        if self.merged is None:
            self.merged = (self.weight @ self.weight.t()).detach()  # NN206
        return x @ self.merged
