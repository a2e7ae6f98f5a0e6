import torch
import torch.nn as tnn
from torch import nn


class NoCall(nn.Module):
    def __init__(self, width):  # NN101
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.weight


class PlainValuesOnly(nn.Module):
    # Builds without an error, and fails at its first call.
    def __init__(self, factor):  # NN101
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class SkipsModule(nn.Module):
    # The search starts after nn.Module.
    def __init__(self, width):  # NN101
        super(nn.Module, self).__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class Configured:
    def __init__(self, config=None):
        self.config = config


class MixinAlone(Configured, nn.Module):
    def __init__(self, width):  # NN101
        Configured.__init__(self, {"width": width})
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class MixinInTheWay(Configured, nn.Module):
    # super() is Configured here, and Configured does not go on.
    def __init__(self, width):  # NN101
        super().__init__({"width": width})
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class Base(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width


class ForgetfulChild(Base):
    def __init__(self, width):  # NN101
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class PositionalBase(nn.Module):
    def __init__(self, width, /):
        super().__init__()
        self.width = width


class ForgetfulPositionalChild(PositionalBase):
    def __init__(self, width):  # NN101
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class NotCalled(nn.Module):
    def __init__(self, width):  # NN101
        super().__init__
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class Aliased(tnn.Module):
    def __init__(self, width):  # NN101
        self.linear = tnn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


def make(width):
    class Inner(nn.Module):
        def __init__(self):  # NN101
            self.linear = nn.Linear(width, width)

        def forward(self, x):
            return self.linear(x)

    return Inner()


class MixinWithoutParentheses:
    def __init__(self):
        super().__init__
        self.scale = 2


class BehindMixin(MixinWithoutParentheses, nn.Module):
    def __init__(self, width):  # NN101
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x) * self.scale
