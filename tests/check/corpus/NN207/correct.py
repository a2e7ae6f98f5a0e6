import torch
from torch import nn


class Buffered(nn.Module):
    def __init__(self, warmup):
        super().__init__()
        self.warmup = warmup
        self.register_buffer("steps", torch.zeros(1))

    def forward(self, x):
        if self.training:
            self.steps.add_(1)
        return x * (self.steps / self.warmup).clamp(max=1.0)


class SetByOwner(nn.Module):
    # The training loop says it; forward only reads.
    def __init__(self):
        super().__init__()
        self.epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def step(self):
        self.epoch += 1

    def forward(self, x):
        return x * 0.9**self.epoch


class WrittenOnly(nn.Module):
    # For whoever looks; no call reads it.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.last_batch = 0

    def forward(self, x):
        self.last_batch = x.shape[0]
        return self.linear(x)


class SameCall(nn.Module):
    # Written before it is read, at every call: nothing passes to the next.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.length = 0

    def _mask(self, x):
        return x[:, : self.length]

    def forward(self, x):
        self.length = x.shape[1] // 2
        return self.linear(self._mask(x))


class Local(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.depth = depth
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        step = 0
        while step < self.depth:
            x = self.linear(x)
            step += 1
        return x


class ModeSwitch(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.merged = False

    def train(self, mode: bool = True):
        self.merged = not mode
        return super().train(mode)

    def forward(self, x):
        return x if self.merged else self.linear(x)


class Schedule:
    # No module.
    def __init__(self):
        self.steps = 0

    def forward(self, x):
        self.steps += 1
        return x * self.steps


class ReversesItsOwn(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(2))

    def forward(self, x):
        order = [0, 1]
        order.reverse()
        for number in order:
            x = self.layers[number](x)
        return x
