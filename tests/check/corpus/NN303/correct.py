import math

import torch
from torch import nn

LIMIT = 1e9


class LargestOfType(nn.Module):
    def forward(self, x, mask):
        x = x.masked_fill(mask, torch.finfo(x.dtype).min)
        return x.softmax(-1)


class Infinite(nn.Module):
    def forward(self, x, mask):
        return x.masked_fill(mask, float("-inf")).softmax(-1) + x.masked_fill(mask, -torch.inf)


class Fits(nn.Module):
    def forward(self, x, mask):
        return (x + (1.0 - mask) * -10000.0).softmax(-1)


class InFloat32(nn.Module):
    def forward(self, x, mask):
        scores = x.float().masked_fill(mask, -1e9)
        return scores.softmax(-1).to(x.dtype)


class Small(nn.Module):
    # An epsilon is no overflow, and a limit of lengths no tensor.
    def forward(self, x):
        if x.shape[1] > LIMIT:
            raise ValueError("too long")
        return x / (x.norm(dim=-1, keepdim=True) + 1e-6)


class KeptByApply(nn.Module):
    # Stays complex64 whatever the module is cast to.
    def __init__(self, width):
        super().__init__()
        turns = torch.polar(torch.ones(width), torch.linspace(0, 1, width))
        self.register_buffer("turns", turns, persistent=False)

    def _apply(self, fn, recurse=True):
        turns = self.turns
        super()._apply(fn, recurse)
        self.turns = turns.to(self.turns.device)
        return self

    def forward(self, x):
        return torch.view_as_real(torch.view_as_complex(x.float()) * self.turns).type_as(x)


class RealPairs(nn.Module):
    # The same numbers, stored as pairs of real ones.
    def __init__(self, width):
        super().__init__()
        angle = torch.linspace(0, 1, width)
        turns = torch.view_as_real(torch.polar(torch.ones_like(angle), angle))
        self.register_buffer("turns", turns, persistent=False)

    def forward(self, x):
        turns = torch.view_as_complex(self.turns.float())
        return torch.view_as_real(torch.view_as_complex(x.float()) * turns).type_as(x)


class FloatPositions(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        position = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)
        rate = math.log(10000.0) / self.width
        return x + torch.sin(position * rate).unsqueeze(-1).to(x.dtype)


class IntegerPositions(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        self.embed = nn.Embedding(length, width)

    def forward(self, x):
        return x + self.embed(torch.arange(x.shape[1], device=x.device))


class Best:
    # No module: a number that is compared with numbers.
    def __init__(self):
        self.score = -1e9

    def update(self, score: float) -> None:
        self.score = max(self.score, score)
