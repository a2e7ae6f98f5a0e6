import torch
from torch import nn


class Forgotten(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.shortcut = nn.Linear(width, width)  # NN112

    def forward(self, x):
        return x + self.linear(x)


class DeadParameter(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))  # NN112

    def forward(self, x):
        return x * self.scale


class OnlyInitialised(nn.Module):
    # Given values, and never read.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)  # NN112
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.zeros_(self.gate.weight)
        self.linear.reset_parameters()

    def forward(self, x):
        return self.linear(x)


class Misspelt(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)  # NN112
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.norm1(self.linear(self.norm1(x)))


class ByAddModule(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.add_module("extra", nn.Linear(width, width))  # NN112

    def forward(self, x):
        return self.linear(x)


class UnusedList(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))  # NN112

    def forward(self, x):
        return self.linear(x)


class Base(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class ChildAdds(Base):
    # The child has no forward of its own, and the parent's does not know of this.
    def __init__(self, width):
        super().__init__(width)
        self.norm = nn.LayerNorm(width)  # NN112
