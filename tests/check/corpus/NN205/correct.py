import torch
from torch import nn


class UnderNoGrad(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def clip(self):
        with torch.no_grad():
            self.weight.clamp_(min=0)

    def forward(self, x):
        return x * self.weight


class Reads(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def summary(self):
        largest = self.weight.data.max()
        clipped = self.weight.data.clamp(min=0)
        return largest, clipped.clone().mul_(2), self.weight.data[0]

    def forward(self, x):
        return x * self.weight


class ForInit(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.linear.weight.data)
        nn.init.zeros_(self.linear.bias.data)

    def forward(self, x):
        return self.linear(x)


class AttributeNamedData(nn.Module):
    # An attribute of that name is nobody's storage.
    def __init__(self, data, width):
        super().__init__()
        self.data = data
        self.data["width"] = width
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class Graph(nn.Module):
    # A batch object with a field `data`.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, batch, data):
        data = {**data, "seen": True}
        return self.linear(batch.data), data


class Node:
    def __init__(self):
        self.data = []


def grow(node: Node, value: int) -> None:
    node.data.append(value)
    node.data[0] = value


def largest(model: nn.Module) -> list[torch.Tensor]:
    return [parameter.data.abs().amax() for parameter in model.parameters()]
