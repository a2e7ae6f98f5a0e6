import math

import numpy as np
import torch
from torch import nn


class Plain(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mean = torch.zeros(width)  # NN201

    def forward(self, x):
        return x - self.mean


class ThroughLocal(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        table = torch.zeros(length, width)
        position = torch.arange(length).unsqueeze(1)
        rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        table[:, 0::2] = torch.sin(position * rate)
        table[:, 1::2] = torch.cos(position * rate)
        self.table = table  # NN201

    def forward(self, x):
        return x + self.table[: x.shape[1]]


class FromNumpy(nn.Module):
    def __init__(self, values):
        super().__init__()
        self.weights = torch.from_numpy(np.asarray(values, dtype=np.float32))  # NN201

    def forward(self, x):
        return x * self.weights


class InList(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.masks = [torch.ones(size, size).tril() for size in sizes]  # NN201

    def forward(self, x, level):
        return x * self.masks[level]


class InDict(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.statistics = {"mean": torch.zeros(width), "std": torch.ones(width)}  # NN201

    def forward(self, x):
        return (x - self.statistics["mean"]) / self.statistics["std"]


class InHelper(nn.Module):
    def __init__(self, width):
        super().__init__()
        self._make_kernel(width)

    def _make_kernel(self, width):
        self.kernel = torch.hann_window(width)  # NN201

    def forward(self, x):
        return x * self.kernel


class Argument(nn.Module):
    def __init__(self, mean: torch.Tensor, width: int):
        super().__init__()
        self.mean = mean  # NN201
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x - self.mean)


class BySetattr(nn.Module):
    def __init__(self, width):
        super().__init__()
        setattr(self, "offset", torch.zeros(width))  # NN201

    def forward(self, x):
        return x + self.offset


class FromParameter(nn.Module):
    # A tensor computed once from a parameter: it keeps the value of the first day.
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width))
        self.start = self.weight.detach().clone()  # NN201

    def forward(self, x):
        return x * (self.weight - self.start)


class BeforeSuper(nn.Module):
    # Legal there as far as NN102 goes, and still not registered.
    def __init__(self, width):
        self.scale = torch.ones(width)  # NN201
        super().__init__()

    def forward(self, x):
        return x * self.scale


class ShouldLearn(nn.Module):
    # A buffer would clear the finding, and still learn nothing: `--fix` leaves it to its author.
    def __init__(self, width):
        super().__init__()
        self.scale = torch.ones(width, requires_grad=True)  # NN201

    def forward(self, x):
        return x * self.scale
