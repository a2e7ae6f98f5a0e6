import torch
from torch import nn


class Counter(nn.Module):
    def __init__(self, warmup):
        super().__init__()
        self.warmup = warmup
        self.steps = 0

    def forward(self, x):
        self.steps += 1  # NN207
        return x * min(1.0, self.steps / self.warmup)


class Flag(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.initialised = False

    def forward(self, x):
        if not self.initialised:
            with torch.no_grad():
                self.scale.copy_(x.std(0))
            self.initialised = True  # NN207
        return x / self.scale


class History(nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, x):
        self.sizes.append(x.shape[0])  # NN207
        return x / max(self.sizes)


class Rebound(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.temperature = 1.0
        self.rate = rate

    def forward(self, x):
        if self.training:
            self.temperature = max(0.1, self.temperature * self.rate)  # NN207
        return x / self.temperature


class InHelper(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.turn = 0
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(layers))

    def _next(self):
        self.turn = (self.turn + 1) % len(self.layers)  # NN207
        return self.layers[self.turn]

    def forward(self, x):
        return self._next()(x)


class InDict(nn.Module):
    def __init__(self):
        super().__init__()
        self.counts = {"seen": 0}

    def forward(self, x):
        self.counts["seen"] += x.shape[0]  # NN207
        return x / self.counts["seen"]


class TwoInOneLine(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.calls = 0

    def forward(self, x):
        y = self.linear(x)
        self.last, self.calls = y.detach(), self.calls + 1  # NN207
        return y / self.calls


class TakesTurns(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.order = [0, 1]

    def forward(self, x):
        for number in self.order:
            x = self.layers[number](x)
        self.order.reverse()  # NN207
        return x
