import copy
from collections import OrderedDict, deque

import torch.nn as tnn
from torch import nn
from torch.nn import Conv1d
from torch.nn import Linear as L


class Comprehension(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = [nn.Linear(width, width) for _ in range(depth)]  # NN103

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class AppendedOnSelf(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = []  # NN103
        for _ in range(depth):
            self.layers.append(nn.Linear(width, width))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class AppendedLocally(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        layers = []
        for _ in range(depth):
            layers.append(L(width, width))
            layers.append(nn.GELU())
        self.layers = layers  # NN103

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class TrailingComma(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = (Conv1d(1, 1, 1),)  # NN103

    def forward(self, x):
        return self.conv[0](x)


class OfDict(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.heads = {"a": nn.Linear(width, 1), "b": nn.Linear(width, 2)}  # NN103

    def forward(self, x):
        return {name: head(x) for name, head in self.heads.items()}


class DictFilledLater(nn.Module):
    def __init__(self, width, names):
        super().__init__()
        self.heads = {}  # NN103
        for name in names:
            self.heads[name] = nn.Linear(width, 1)

    def forward(self, x):
        return {name: head(x) for name, head in self.heads.items()}


class DictComprehension(nn.Module):
    def __init__(self, width, names):
        super().__init__()
        self.heads = {name: nn.Linear(width, 1) for name in names}  # NN103

    def forward(self, x, name):
        return self.heads[name](x)


class Ordered(tnn.Module):
    def __init__(self, width):
        super().__init__()
        self.stages = OrderedDict(first=tnn.Linear(width, width), second=tnn.ReLU())  # NN103

    def forward(self, x):
        for stage in self.stages.values():
            x = stage(x)
        return x


class Nested(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.pairs = [(nn.Linear(width, width), nn.LayerNorm(width)) for _ in range(depth)]  # NN103

    def forward(self, x):
        for linear, norm in self.pairs:
            x = norm(linear(x))
        return x


class ListOfModuleLists(nn.Module):
    # The inner lists register their layers; nobody registers the inner lists.
    def __init__(self, width, depth):
        super().__init__()
        self.stages = []  # NN103
        for _ in range(2):
            stage = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
            self.stages.append(stage)

    def forward(self, x):
        for stage in self.stages:
            for layer in stage:
                x = layer(x)
        return x


class InHelper(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self._build(width, depth)

    def _build(self, width, depth):
        self.layers = tuple(nn.Linear(width, width) for _ in range(depth))  # NN103

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class FromHelper(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = self._make(width, depth)  # NN103

    def _make(self, width, depth):
        return [nn.Linear(width, width) for _ in range(depth)]

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


class OfOwnClass(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.head = nn.Linear(width, 1)
        self.blocks = list(Block(width) for _ in range(3))  # NN103

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Concatenated(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        rest = [nn.Linear(before, after) for before, after in zip(sizes, sizes[1:])]
        self.layers = [nn.Linear(8, sizes[0])] + rest  # NN103

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Augmented(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = [nn.Linear(width, width)]  # NN103
        self.layers += [nn.Linear(width, width) for _ in range(depth)]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Queue(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = deque([nn.Linear(width, width), nn.Tanh()])  # NN103

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class SetOfModules(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.experts = {nn.Linear(width, width), nn.Linear(width, width)}  # NN103

    def forward(self, x):
        return sum(expert(x) for expert in self.experts)


class Parent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = []

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Child(Parent):
    # The list is the parent's, which may as well stay empty; what goes in is the child's.
    def __init__(self, width):
        super().__init__()
        self.layers.append(nn.Linear(width, width))  # NN103


class HalfRegistered(nn.Module):
    # Each layer is registered by setattr, but only of the first of the two lists.
    def __init__(self, width, depth):
        super().__init__()
        self.down = [nn.Linear(width, width) for _ in range(depth)]
        self.up = [nn.Linear(width, width) for _ in range(depth)]  # NN103
        for index, layer in enumerate(self.down):
            setattr(self, f"down_{index}", layer)

    def forward(self, x):
        for down, up in zip(self.down, self.up):
            x = up(down(x))
        return x


class Arguments(nn.Module):
    # The caller's modules, by their annotations.
    def __init__(self, first: nn.Module, others: list[nn.Module]):
        super().__init__()
        self.pair = (first, nn.ReLU())  # NN103
        self.others = list(others)  # NN103

    def forward(self, x):
        for part in (*self.pair, *self.others):
            x = part(x)
        return x


class Copies(nn.Module):
    def __init__(self, layer: nn.Module, depth: int):
        super().__init__()
        self.layers = [copy.deepcopy(layer) for _ in range(depth)]  # NN103

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Extended(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        layers = []
        layers.extend(nn.Linear(width, width) for _ in range(depth))
        layers.insert(0, nn.LayerNorm(width))
        self.layers = layers  # NN103

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Conditional(nn.Module):
    def __init__(self, width, normalise):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norms = [nn.LayerNorm(width)] if normalise else []  # NN103

    def forward(self, x):
        x = self.linear(x)
        for norm in self.norms:
            x = norm(x)
        return x


class Zipped(nn.Module):
    def __init__(self, width, names):
        super().__init__()
        heads = [nn.Linear(width, 1) for _ in names]
        self.heads = dict(zip(names, heads))  # NN103

    def forward(self, x):
        return {name: head(x) for name, head in self.heads.items()}


def make_layer(width):
    return nn.Sequential(nn.Linear(width, width), nn.ReLU())


class FromFunction(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = [make_layer(width) for _ in range(depth)]  # NN103

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
