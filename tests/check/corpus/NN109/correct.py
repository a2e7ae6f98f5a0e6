import copy

from torch import nn


class EachItsOwn(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class DeepCopies(nn.Module):
    def __init__(self, layer: nn.Module, depth: int):
        super().__init__()
        self.layers = nn.ModuleList([copy.deepcopy(layer) for _ in range(depth)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Stateless(nn.Module):
    # One ReLU in many places is one ReLU's worth of nothing.
    def __init__(self, width):
        super().__init__()
        activation = nn.ReLU()
        self.net = nn.Sequential(
            nn.Linear(width, width), activation, nn.Linear(width, width), activation
        )
        self.drops = nn.ModuleList([nn.Dropout(0.1)] * 3)

    def forward(self, x):
        x = self.net(x)
        for drop in self.drops:
            x = drop(x)
        return x


class CalledTwice(nn.Module):
    # Sharing on purpose: registered once, used in a loop.
    def __init__(self, width, depth):
        super().__init__()
        self.depth = depth
        self.block = nn.Linear(width, width)

    def forward(self, x):
        for _ in range(self.depth):
            x = self.block(x)
        return x


class NumbersRepeated(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        sizes = [width] * depth
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class ClassesRepeated(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        kinds = [nn.Linear] * depth
        self.layers = nn.ModuleList([kind(width, width) for kind in kinds])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class BuiltInLoop(nn.Module):
    # The same name, and another object at each turn.
    def __init__(self, width, depth):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(depth):
            layer = nn.Linear(width, width)
            self.layers.append(layer)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class MadeByFunction(nn.Module):
    def __init__(self, width, depth):
        super().__init__()

        def make():
            return nn.Linear(width, width)

        self.layers = nn.Sequential(*[make() for _ in range(depth)])

    def forward(self, x):
        return self.layers(x)


class Rebound(nn.Module):
    # `layer` is another one when it goes in again.
    def __init__(self, width):
        super().__init__()
        layer = nn.Linear(width, width)
        layers = [layer]
        layer = nn.Linear(width, width)
        layers.append(layer)
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)
