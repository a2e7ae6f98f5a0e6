import math

import torch
from torch import nn


class Reset(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.ones_(self.weight)

    def forward(self, x):
        return x * self.weight


class AtOnce(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        self.bias = nn.Parameter(torch.empty(width).uniform_(-0.1, 0.1))
        self.gain = nn.Parameter(nn.init.ones_(torch.empty(width)))

    def forward(self, x):
        return x @ self.weight * self.gain + self.bias


class LocalFilled(nn.Module):
    def __init__(self, width):
        super().__init__()
        table = torch.empty(width, 8)
        table.normal_(std=0.02)
        self.table = nn.Parameter(table)

    def forward(self, tokens):
        return self.table[tokens]


class InLoop(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.Tensor(width, width))
        self.bias = nn.Parameter(torch.Tensor(width))
        self.init_weights()

    def init_weights(self):
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.1, 0.1)

    def forward(self, x):
        return x @ self.weight + self.bias


class Copied(nn.Module):
    def __init__(self, values: torch.Tensor):
        super().__init__()
        self.weight = nn.Parameter(torch.empty_like(values))
        with torch.no_grad():
            self.weight.copy_(values)

    def forward(self, x):
        return x * self.weight


class Sliced(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2, width))
        with torch.no_grad():
            self.weight[0] = 1.0
            self.weight[1] = 0.0

    def forward(self, x):
        return x * self.weight[0] + self.weight[1]


class FromData(nn.Module):
    # torch.Tensor of a list holds the list's values.
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.Tensor([1.0, 2.0, 3.0]))

    def forward(self, x):
        return x * self.weight


class Applied(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.empty(width))
        self.apply(self._fill)

    def _fill(self, module):
        if isinstance(module, Applied):
            nn.init.ones_(module.scale)

    def forward(self, x):
        return x * self.scale


class Base(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.zeros_(self.weight)

    def forward(self, x):
        return x * self.weight


class Derived(Base):
    # Its own tensor is filled by its own override, which the base calls a second time here.
    def __init__(self, width):
        super().__init__(width)
        self.bias = nn.Parameter(torch.empty(width))
        self.reset_parameters()

    def reset_parameters(self):
        super().reset_parameters()
        if hasattr(self, "bias"):
            nn.init.zeros_(self.bias)

    def forward(self, x):
        return super().forward(x) + self.bias


class Workspace(nn.Module):
    # Memory that is written in full before it is read, and is no parameter.
    def forward(self, x):
        out = torch.empty(x.shape[0], 2 * x.shape[1], device=x.device, dtype=x.dtype)
        out[:, : x.shape[1]] = x
        out[:, x.shape[1] :] = -x
        return out


class Gates(nn.Module):
    # Written part by part: what a loop over a tensor, or over its chunks, gives are views.
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2 * width, width))
        self.rows = nn.Parameter(torch.empty(width, width))
        self.reset_parameters()

    def reset_parameters(self):
        with torch.no_grad():
            for weight in self.weight.chunk(2):
                nn.init.xavier_uniform_(weight)
            for number, row in enumerate(self.rows):
                row.fill_(number)

    def forward(self, x):
        return (x @ self.weight.T) @ self.rows
