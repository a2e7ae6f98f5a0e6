import torch
from torch import nn
from torch.nn import Parameter
from torch.nn.parameter import Parameter as P


class Comprehension(nn.Module):
    def __init__(self, width, count):
        super().__init__()
        self.scales = [nn.Parameter(torch.ones(width)) for _ in range(count)]  # NN104

    def forward(self, x):
        return sum(x * scale for scale in self.scales)


class OfDict(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weights = {"a": Parameter(torch.ones(width)), "b": P(torch.zeros(width))}  # NN104

    def forward(self, x):
        return x * self.weights["a"] + self.weights["b"]


class Appended(nn.Module):
    def __init__(self, width, count):
        super().__init__()
        self.biases = []  # NN104
        for _ in range(count):
            bias = nn.Parameter(torch.zeros(width))
            nn.init.normal_(bias)
            self.biases.append(bias)

    def forward(self, x):
        return sum(x + bias for bias in self.biases)


class TupleOfTwo(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.affine = (nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width)))  # NN104

    def forward(self, x):
        weight, bias = self.affine
        return x * weight + bias


class LocalList(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        tables = list()
        for size in sizes:
            tables.append(P(torch.randn(size)))
        self.tables = tables  # NN104

    def forward(self, x):
        return [x * table for table in self.tables]


class FilledByKey(nn.Module):
    def __init__(self, names):
        super().__init__()
        self.temperatures = dict()  # NN104
        for name in names:
            self.temperatures[name] = nn.Parameter(torch.ones(1))

    def forward(self, x, name):
        return x / self.temperatures[name]


class Nested(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.pairs = [[nn.Parameter(torch.ones(width))], [nn.Parameter(torch.ones(width))]]  # NN104

    def forward(self, x):
        return x * self.pairs[0][0] * self.pairs[1][0]
