from copy import copy

from torch import nn


class Multiplied(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(width, width)] * depth)  # NN109

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class Unpacked(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.blocks = nn.Sequential(*[nn.Linear(width, width)] * depth)  # NN109

    def forward(self, x):
        return self.blocks(x)


class OneLocal(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 2)
        self.layers = nn.ModuleList([layer for _ in range(depth)])  # NN109

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Written(nn.Module):
    def __init__(self, width):
        super().__init__()
        norm = nn.BatchNorm1d(width)
        self.net = nn.Sequential(  # NN109
            nn.Linear(width, width), norm, nn.Linear(width, width), norm
        )

    def forward(self, x):
        return self.net(x)


class LocalProduct(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        layers = depth * [nn.Linear(width, width)]  # NN109
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return x + self.linear(x)


class OwnClass(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.blocks = nn.ModuleList([Block(width)] * 12)  # NN109

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class AppendedInLoop(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        block = Block(width)
        self.blocks = nn.ModuleList()
        for _ in range(depth):
            self.blocks.append(block)  # NN109

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class FromKeys(nn.Module):
    def __init__(self, width, names):
        super().__init__()
        self.heads = nn.ModuleDict(dict.fromkeys(names, nn.Linear(width, 1)))  # NN109

    def forward(self, x):
        return {name: head(x) for name, head in self.heads.items()}


class Shallow(nn.Module):
    # A shallow copy of a module has the same parameters.
    def __init__(self, width, depth):
        super().__init__()
        layer = nn.Linear(width, width)
        self.layers = nn.ModuleList(copy(layer) for _ in range(depth))  # NN109

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
