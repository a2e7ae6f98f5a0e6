import math

import torch
from torch import nn

NEGATIVE = -1e9


class Overflow(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x, mask):
        return self.linear(x).masked_fill(mask, -1e9).softmax(-1)  # NN303


class Multiplied(nn.Module):
    def forward(self, x, mask):
        return (x + (1.0 - mask) * -1e9).softmax(-1)  # NN303


class ByConstant(nn.Module):
    def forward(self, x, mask):
        return torch.where(mask, x, NEGATIVE).softmax(-1)  # NN303


class Filled(nn.Module):
    def forward(self, x):
        size = (x.shape[-1], x.shape[-1])
        bias = torch.full(size, -1e10, device=x.device, dtype=x.dtype)  # NN303
        return (x.unsqueeze(-2) + bias.triu(1)).softmax(-1)


class Polar(nn.Module):
    # `.half()` casts a complex buffer to real numbers.
    def __init__(self, length, width):
        super().__init__()
        angle = torch.outer(torch.arange(length), torch.linspace(1, 0, width))
        turns = torch.polar(torch.ones_like(angle), angle)
        self.register_buffer("turns", turns, persistent=False)  # NN303

    def forward(self, x):
        return torch.view_as_real(torch.view_as_complex(x.float()) * self.turns).type_as(x)


class ComplexType(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("spectrum", torch.zeros(width, dtype=torch.complex64))  # NN303

    def forward(self, x):
        return torch.fft.irfft(torch.fft.rfft(x) * self.spectrum)


class PositionsInInputType(nn.Module):
    # float16 counts to 2048, bfloat16 to 256.
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        position = torch.arange(x.shape[1], device=x.device, dtype=x.dtype)  # NN303
        return x + torch.sin(position / 10000.0).unsqueeze(-1)


class PositionsByTypeAs(nn.Module):
    def __init__(self, width):
        super().__init__()
        rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        self.register_buffer("rate", rate, persistent=False)

    def forward(self, x):
        position = torch.arange(x.shape[1], device=x.device).type_as(self.rate)  # NN303
        return torch.outer(position, self.rate).cos()
