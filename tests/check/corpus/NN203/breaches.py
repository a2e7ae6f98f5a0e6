import torch
from torch import nn


class RunningMean(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)  # NN203
        return x - self.mean


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("steps", torch.zeros(1, dtype=torch.int64))

    def forward(self, x):
        self.steps = self.steps + 1  # NN203
        return x / self.steps


class BySetattr(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("peak", torch.ones(width))

    def forward(self, x):
        if self.training:
            setattr(self, "peak", torch.maximum(self.peak, x.detach().amax(0)))  # NN203
        return x / self.peak


class InHelper(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))

    @torch.no_grad()
    def _update(self, x):
        self.mean = torch.lerp(self.mean, x.mean(0), 0.1)  # NN203

    def forward(self, x):
        if self.training:
            self._update(x)
        return x - self.mean


class OfDictionary(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, x):
        with torch.no_grad():
            self._buffers["mean"] = x.mean(0)  # NN203
        return x - self.mean


class Base(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("centre", torch.zeros(width))


class Child(Base):
    # The buffer is the parent's.
    def forward(self, x):
        if self.training:
            with torch.no_grad():
                self.centre = x.mean(0)  # NN203
        return x - self.centre


class BufferObject(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Buffer(torch.ones(width))

    def forward(self, x):
        if self.training:
            self.scale = x.detach().std(0)  # NN203
        return x / self.scale
