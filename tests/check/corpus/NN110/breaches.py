from collections import OrderedDict

from torch import nn


class Type(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.heads = nn.ModuleDict({"type": nn.Linear(width, 2)})  # NN110

    def forward(self, x):
        return {name: head(x) for name, head in self.heads.items()}


class Dotted(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.add_module("block.1", nn.Linear(width, width))  # NN110

    def forward(self, x):
        for child in self.children():
            x = child(x)
        return x


class EmptyName(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.Sequential(OrderedDict([("", nn.Linear(width, width))]))  # NN110

    def forward(self, x):
        return self.net(x)


class Keys(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.projections = nn.ModuleDict(
            {
                "queries": nn.Linear(width, width),
                "keys": nn.Linear(width, width),  # NN110
                "values_of": nn.Linear(width, width),
            }
        )

    def forward(self, x):
        return [projection(x) for projection in self.projections.values()]


class SetByKey(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.stages = nn.ModuleDict()
        self.stages["pre"] = nn.Linear(width, width)
        self.stages["train"] = nn.Linear(width, width)  # NN110

    def forward(self, x):
        for stage in self.stages.values():
            x = stage(x)
        return x


class ByKeyword(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.Sequential(
            OrderedDict(
                first=nn.Linear(width, width),
                forward=nn.Linear(width, width),  # NN110
            )
        )

    def forward(self, x):
        return self.net(x)


class DottedLoop(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.stages = nn.ModuleDict()
        for index in range(depth):
            self.stages[f"stage.{index}"] = nn.Linear(width, width)  # NN110

    def forward(self, x):
        for stage in self.stages.values():
            x = stage(x)
        return x


class Updated(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.heads = nn.ModuleDict()
        self.heads.update({"float": nn.Linear(width, 1)})  # NN110

    def forward(self, x):
        return {name: head(x) for name, head in self.heads.items()}


class AddedToDict(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.heads = nn.ModuleDict()
        self.heads.add_module("keys", nn.Linear(width, 1))  # NN110
        self.heads.add_module(name="items", module=nn.Linear(width, 1))  # NN110

    def forward(self, x):
        return {name: head(x) for name, head in self.heads.items()}


class LocalDict(nn.Module):
    def __init__(self, width):
        super().__init__()
        heads = nn.ModuleDict()
        heads["values"] = nn.Linear(width, 1)  # NN110
        self.heads = heads

    def forward(self, x):
        return {name: head(x) for name, head in self.heads.items()}


class Heads(nn.ModuleDict):
    # Has the attributes of a ModuleDict, and its own.
    def __init__(self, width):
        super().__init__()
        self.add_module("pop", nn.Linear(width, 1))  # NN110

    def first(self, x):
        return next(iter(self.values()))(x)


class AddedToHeads(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.heads = Heads(width)
        self.heads.add_module("first", nn.Linear(width, 1))  # NN110
        self.heads["update"] = nn.Linear(width, 1)  # NN110

    def forward(self, x):
        return self.heads.first(x)


class AddedToList(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.ModuleList()
        self.layers.add_module("insert", nn.Linear(width, width))  # NN110

    def forward(self, x):
        for layer in self.layers.children():
            x = layer(x)
        return x
