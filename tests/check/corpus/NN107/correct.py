import torch
from torch import nn


class ScaledInside(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width) * 0.02)

    def forward(self, x):
        return x * self.weight


class MovedInside(nn.Module):
    def __init__(self, width, device=None, dtype=None):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(width).to(device))

    def forward(self, x):
        return x * self.weight + self.bias


class SameObject(nn.Module):
    # A float32 parameter that is asked for float32 is returned itself.
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width)).float()
        self.bias = nn.Parameter(torch.zeros(width)).requires_grad_(True)

    def forward(self, x):
        return x * self.weight + self.bias


class InForward(nn.Module):
    # Arithmetic where it belongs.
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.weight.to(x.dtype) * 0.02


class LocalArithmetic(nn.Module):
    def __init__(self, width):
        super().__init__()
        weight = nn.Parameter(torch.ones(width))
        self.start = (weight * 2).sum().item()
        self.weight = weight

    def forward(self, x):
        return x * self.weight


class WrappedLast(nn.Module):
    def __init__(self, width):
        super().__init__()
        table = torch.randn(width, width)
        table = table @ table.t() / width
        self.table = nn.Parameter(table.contiguous())

    def forward(self, x):
        return x @ self.table


class ModuleMoved(nn.Module):
    # `.to` of a module changes it and returns it.
    def __init__(self, width, device=None):
        super().__init__()
        self.linear = nn.Linear(width, width).to(device)

    def forward(self, x):
        return self.linear(x)


class Frozen(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width), requires_grad=False)

    def forward(self, x):
        return x * self.weight
