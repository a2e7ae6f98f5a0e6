"""pytorch/pytorch#666: parameters contained in lists are not imported.

A list comprehension of layers beside one that is registered: only the one was printed.
"""

from torch import nn


class Reported(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.first = nn.Linear(1, 1)
        self.rest = [nn.Linear(1, 1) for _ in range(depth)]  # NN103

    def forward(self, x):
        x = self.first(x)
        for layer in self.rest:
            x = layer(x)
        return x


class Corrected(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.first = nn.Linear(1, 1)
        self.rest = nn.ModuleList([nn.Linear(1, 1) for _ in range(depth)])

    def forward(self, x):
        x = self.first(x)
        for layer in self.rest:
            x = layer(x)
        return x
