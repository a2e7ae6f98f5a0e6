from functools import lru_cache

import torch
from torch import nn


class MadeInInit(nn.Module):
    def __init__(self, length):
        super().__init__()
        self.register_buffer("mask", torch.ones(length, length).tril(), persistent=False)

    def forward(self, x):
        length = x.shape[1]
        return x @ self.mask[:length, :length]


class EachCall(nn.Module):
    def forward(self, x):
        mask = torch.ones(x.shape[1], x.shape[1], device=x.device, dtype=x.dtype).tril()
        return x @ mask


class FullyCompared(nn.Module):
    # One tensor, made again whenever anything that it depends on has changed.
    def __init__(self):
        super().__init__()
        self.mask = None

    def forward(self, x):
        length = x.shape[1]
        if (
            self.mask is None
            or len(self.mask) != length
            or self.mask.device != x.device
            or self.mask.dtype != x.dtype
        ):
            self.mask = torch.ones(length, length, device=x.device, dtype=x.dtype).tril()
        return x @ self.mask


class Sizes(nn.Module):
    # Numbers know neither device nor dtype.
    @staticmethod
    @lru_cache(maxsize=32)
    def _padding(length):
        return tuple(side for side in (length // 2, length - length // 2))

    def forward(self, x):
        return nn.functional.pad(x, self._padding(x.shape[1]))


@lru_cache
def kernel_size(width: int) -> int:
    return width | 1


class UsesNumbers(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel_size(width))

    def forward(self, x):
        return self.conv(x)


class ToLookAt(nn.Module):
    # Left behind, and never read by a call.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        y = self.linear(x)
        self.last = y.detach()
        return y


class LocalCache(nn.Module):
    # Gone when the call returns.
    def forward(self, x, lengths: list[int]):
        windows = {}
        for length in lengths:
            if length not in windows:
                windows[length] = torch.hann_window(length, device=x.device)
        return [x[:length] * windows[length] for length in lengths]


class Prepared(nn.Module):
    # The owner asks for it; no call does.
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width))
        self.register_buffer("merged", None)

    def fuse(self):
        self.merged = (self.weight @ self.weight.t()).detach()

    def forward(self, x):
        return x @ (self.weight if self.merged is None else self.merged)


class Passed(nn.Module):
    # The caller keeps the cache.
    def forward(self, x, cache: dict[int, torch.Tensor]):
        return x * cache[x.shape[1]]
