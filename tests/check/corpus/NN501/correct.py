from collections import defaultdict
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn


def square(x):
    return x * x


halve = lambda x: x / 2  # noqa: E731


class TopLevel(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = square
        self.second = F.relu
        self.third = torch.tanh

    def forward(self, x):
        return self.third(self.second(self.first(x)))


class Partial(nn.Module):
    def __init__(self, slope):
        super().__init__()
        self.act = partial(F.leaky_relu, negative_slope=slope)

    def forward(self, x):
        return self.act(x)


class Method(nn.Module):
    def __init__(self, fast):
        super().__init__()
        self.compute = self._fast if fast else self._exact

    def _fast(self, x):
        return x.relu()

    def _exact(self, x):
        return F.gelu(x)

    def forward(self, x):
        return self.compute(x)


class UsedUp(nn.Module):
    # Lambdas that serve the constructor, and stay there.
    def __init__(self, sizes):
        super().__init__()
        make = lambda a, b: nn.Linear(a, b)  # noqa: E731
        sizes = sorted(sizes, key=lambda size: -size)
        self.layers = nn.ModuleList(make(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class OfClass(nn.Module):
    # An attribute of the class is found by the class's name.
    act = staticmethod(lambda x: x.relu())

    def forward(self, x):
        return self.act(x)


class InForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        twice = lambda y: self.linear(self.linear(y))  # noqa: E731
        return twice(x)


class Factories(nn.Module):
    def __init__(self, kind=nn.ReLU):
        super().__init__()
        self.kind = kind
        self.counts = defaultdict(int)
        self.act = kind()

    def forward(self, x):
        return self.act(x)


class OwnState(nn.Module):
    # Says itself what is pickled.
    def __init__(self, slope):
        super().__init__()
        self.slope = slope
        self.act = lambda x: F.leaky_relu(x, slope)

    def __getstate__(self):
        state = self.__dict__.copy()
        del state["act"]
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        self.act = partial(F.leaky_relu, negative_slope=self.slope)

    def forward(self, x):
        return self.act(x)


class Transform:
    # Not a module.
    def __init__(self, factor):
        self.function = lambda x: x * factor
