from collections import OrderedDict

from torch import nn


class Fine(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.heads = nn.ModuleDict(
            {
                "a-b": nn.Linear(width, 1),
                "with space": nn.Linear(width, 1),
                "1": nn.Linear(width, 1),
                "head_type": nn.Linear(width, 1),
                "weight": nn.Linear(width, 1),
            }
        )

    def forward(self, x):
        return {name: head(x) for name, head in self.heads.items()}


class PlainDict(nn.Module):
    # Any key will do in a dictionary.
    def __init__(self, width):
        super().__init__()
        self.options = {"type": "linear", "keys": 3, "a.b": 1, "": None}
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class Prefixed(nn.Module):
    def __init__(self, width, columns):
        super().__init__()
        self.tables = nn.ModuleDict({f"column_{name}": nn.Linear(width, 1) for name in columns})

    def forward(self, x):
        return sum(table(x) for table in self.tables.values())


class Looked(nn.Module):
    # A dotted path where one is wanted.
    def __init__(self, width):
        super().__init__()
        self.block = nn.Sequential(OrderedDict(first=nn.Linear(width, width)))

    def forward(self, x):
        return self.get_submodule("block.first")(x)


class KeysOfSequential(nn.Module):
    # `keys` is no attribute of a Sequential, `type_` of nothing.
    def __init__(self, width):
        super().__init__()
        self.net = nn.Sequential(
            OrderedDict([("keys", nn.Linear(width, width)), ("type_", nn.ReLU())])
        )

    def forward(self, x):
        return self.net(x)


class ReplacedDots(nn.Module):
    def __init__(self, width, names):
        super().__init__()
        for name in names:
            self.add_module(name.replace(".", "_"), nn.Linear(width, width))

    def forward(self, x):
        for child in self.children():
            x = child(x)
        return x


class Registry:
    # Has an add_module of its own.
    def add_module(self, name, module):
        self.last = (name, module)


def fill(registry: Registry) -> None:
    registry.add_module("a.b", nn.Linear(1, 1))


class AddedByName(nn.Module):
    # `keys` is no attribute of a plain module or a list, `append` of no dictionary.
    def __init__(self, width):
        super().__init__()
        self.add_module("keys", nn.Linear(width, width))
        self.layers = nn.ModuleList()
        self.layers.add_module("items", nn.Linear(width, width))
        self.heads = nn.ModuleDict()
        self.heads.add_module("append", nn.Linear(width, width))

    def forward(self, x):
        for layer in self.layers.children():
            x = layer(x)
        return self.heads["append"](self.keys(x))
