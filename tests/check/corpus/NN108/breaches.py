import torch
from torch import nn
from torch.nn import Parameter


class Empty(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))  # NN108

    def forward(self, x):
        return x * self.weight


class OldTensor(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = Parameter(torch.Tensor(width, width))  # NN108

    def forward(self, x):
        return x @ self.weight


class ForgetsOne(nn.Module):
    def __init__(self, width, device=None):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width, device=device))
        self.bias = nn.Parameter(torch.empty(width, device=device))  # NN108
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x):
        return x @ self.weight + self.bias


class NeverReset(nn.Module):
    # reset_parameters is there, and nobody calls it.
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))  # NN108

    def reset_parameters(self):
        nn.init.ones_(self.weight)

    def forward(self, x):
        return x * self.weight


class ThroughLocal(nn.Module):
    def __init__(self, width):
        super().__init__()
        table = torch.empty(width, 8)
        self.table = nn.Parameter(table)  # NN108

    def forward(self, tokens):
        return self.table[tokens]


class Registered(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_parameter("scale", nn.Parameter(torch.FloatTensor(width)))  # NN108

    def forward(self, x):
        return x * self.scale


class EmptyLike(nn.Module):
    def __init__(self, sample: torch.Tensor):
        super().__init__()
        self.weight = nn.Parameter(torch.empty_like(sample))  # NN108

    def forward(self, x):
        return x * self.weight
