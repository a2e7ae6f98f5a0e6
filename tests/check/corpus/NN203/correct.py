import torch
from torch import nn


class InPlace(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("steps", torch.zeros(1, dtype=torch.int64))

    def forward(self, x):
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(x.mean(0), 0.1)
                self.steps.add_(1)
        return (x - self.mean) / self.steps.clamp(min=1)


class Augmented(nn.Module):
    # `+=` on a tensor is in place, and binds the same object again.
    def __init__(self):
        super().__init__()
        self.register_buffer("steps", torch.zeros(1))

    def forward(self, x):
        if self.training:
            self.steps += 1
        return x / self.steps.clamp(min=1)


class ByIndex(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, x):
        if self.training:
            self.mean[:] = x.detach().mean(0)
        return x - self.mean


class FilledOnce(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", None)

    def forward(self, x):
        if self.scale is None:
            self.scale = x.detach().std()
        return x / self.scale


class Resized(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        self.register_buffer("table", torch.zeros(length, width))

    def extend(self, length):
        self.table = torch.zeros(length, self.table.shape[1], device=self.table.device)

    def forward(self, x):
        return x + self.table[: x.shape[1]]


class SameNameLocally(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, x):
        mean = 0.5 * self.mean + 0.5 * x.mean(0)
        return x - mean


class Statistics:
    # No module, though it has the words.
    def __init__(self):
        self.mean = torch.zeros(1)

    def register_buffer(self, name, value):
        setattr(self, name, value)

    def forward(self, x):
        self.mean = x.mean()
        return self.mean


class InReset(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.reset_parameters()

    def reset_parameters(self):
        self.mean = torch.zeros_like(self.mean)

    def forward(self, x):
        return x - self.mean
