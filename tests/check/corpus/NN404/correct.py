import math

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence


class StaysTensor(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("limit", torch.ones(1))

    def forward(self, x):
        return torch.minimum(x, self.limit)


class Sizes(nn.Module):
    # Python knows a shape without asking the GPU.
    def forward(self, x):
        scale = float(x.shape[-1]) ** -0.5
        half = int(x.size(0) / 2)
        if x.shape[0] > 1 and x.dim() == 2 and len(x) > half:
            return x * scale / float(x.numel())
        return x * math.sqrt(x.shape[-1])


class Packed(nn.Module):
    # Insists on lengths on the CPU.
    def __init__(self, width):
        super().__init__()
        self.gru = nn.GRU(width, width, batch_first=True)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.gru(packed)[1]


class PackedByName(Packed):
    def forward(self, x: torch.Tensor, lengths: torch.Tensor):
        packed = pack_padded_sequence(x, lengths.to("cpu"), batch_first=True)
        return self.gru(packed)[1]


class OutsideForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def summary(self):
        return self.linear.weight.norm().item(), self.linear.bias.tolist()

    def forward(self, x):
        return self.linear(x)


class Numbers(nn.Module):
    def __init__(self, width, options):
        super().__init__()
        self.width = width
        self.options = dict(options)

    def forward(self, x):
        limit = float("inf")
        for _, value in self.options.items():
            x = x * min(limit, float(value))
        return x / float(self.width)


class Optional(nn.Module):
    # Asks whether there is a tensor, not what is in it.
    def __init__(self, width):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x, mask=None):
        if mask is not None and x.requires_grad and x.is_floating_point():
            x = x.masked_fill(mask, 0.0)
        return x + self.bias


class Selected(nn.Module):
    def forward(self, x):
        return torch.where(x.abs().amax() > 100.0, x / 2, x)


class Rates(nn.Module):
    # Numbers made once, in the constructor.
    def __init__(self, depth):
        super().__init__()
        self.rates = [rate.item() for rate in torch.linspace(0, 1, depth)]

    def forward(self, x):
        return sum(x * rate for rate in self.rates)
