import torch
from torch import nn


class RightList(nn.Module):
    def __init__(self, width, count):
        super().__init__()
        scales = [nn.Parameter(torch.ones(width)) for _ in range(count)]
        self.scales = nn.ParameterList(scales)

    def forward(self, x):
        return sum(x * scale for scale in self.scales)


class Replaced(nn.Module):
    def __init__(self, width, names):
        super().__init__()
        self.tables = {name: nn.Parameter(torch.ones(width)) for name in names}
        self.tables = nn.ParameterDict(self.tables)

    def forward(self, x, name):
        return x * self.tables[name]


class RegisterParameter(nn.Module):
    def __init__(self, width, count):
        super().__init__()
        self.biases = []
        for index in range(count):
            bias = nn.Parameter(torch.zeros(width))
            self.register_parameter(f"bias{index}", bias)
            self.biases.append(bias)

    def forward(self, x):
        return sum(x + bias for bias in self.biases)


class SetAttribute(nn.Module):
    def __init__(self, width, count):
        super().__init__()
        self.count = count
        for index in range(count):
            setattr(self, f"bias{index}", nn.Parameter(torch.zeros(width)))

    def forward(self, x):
        return sum(x + getattr(self, f"bias{index}") for index in range(self.count))


class Groups(nn.Module):
    # A local collection while something is initialised.
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        for parameter in (self.weight, self.bias):
            nn.init.normal_(parameter)

    def forward(self, x):
        return x * self.weight + self.bias

    def groups(self):
        return [{"params": [self.weight]}, {"params": [self.bias], "weight_decay": 0.0}]


class NamesOnly(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.trained = ["weight"]

    def forward(self, x):
        return x * getattr(self, self.trained[0])


class Optimiser:
    # No module.
    def __init__(self, width):
        self.averages = [nn.Parameter(torch.zeros(width))]


class Shapes(nn.Module):
    # Read from parameters, which are then gone.
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.sizes = [parameter.numel() for parameter in self.parameters()]

    def forward(self, x):
        return x * self.weight
