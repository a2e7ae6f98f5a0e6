from collections import defaultdict
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn


class Lambda(nn.Module):
    def __init__(self, slope):
        super().__init__()
        self.function = lambda x: F.leaky_relu(x, slope)  # NN501

    def forward(self, x):
        return self.function(x)


class LocalFunction(nn.Module):
    def __init__(self, slope):
        super().__init__()

        def act(x):
            return F.leaky_relu(x, slope)

        self.act = act  # NN501

    def forward(self, x):
        return self.act(x)


class InDict(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.choices = {"square": lambda x: x * x, "relu": torch.relu}  # NN501

    def forward(self, x):
        return self.choices[self.kind](x)


class InPartial(nn.Module):
    def __init__(self, slope):
        super().__init__()
        self.act = partial(lambda x, s: F.leaky_relu(x, s), s=slope)  # NN501

    def forward(self, x):
        return self.act(x)


class Default(nn.Module):
    # The factory of missing values is a lambda, too.
    def __init__(self):
        super().__init__()
        self.scales = defaultdict(lambda: 1.0)  # NN501

    def forward(self, x, name):
        return x * self.scales[name]


class Conditional(nn.Module):
    def __init__(self, width, normalise):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width) if normalise else lambda x: x  # NN501

    def forward(self, x):
        return self.norm(self.linear(x))


class InHelper(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self._configure(factor)

    def _configure(self, factor):
        self.rescale = lambda x: x * factor  # NN501

    def forward(self, x):
        return self.rescale(x)


class BySetattr(nn.Module):
    def __init__(self):
        super().__init__()
        setattr(self, "act", lambda x: x.relu())  # NN501

    def forward(self, x):
        return self.act(x)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.scales = (2**power for power in range(3))  # NN501

    def forward(self, x):
        return x * next(self.scales)
