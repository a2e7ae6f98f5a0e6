"""pytorch/pytorch#632: parameters in dictionaries are not registered.

Two dictionaries, filled in one loop under integer keys: of parameters, nested, and of layers.
"""

import torch
from torch import nn


class Reported(nn.Module):
    def __init__(self, relations, width):
        super().__init__()
        self.affine = {}  # NN104
        self.relations = {}  # NN103
        for index in range(relations):
            self.affine[index] = {
                "weight": nn.Parameter(1.0 + torch.randn(1, width)),
                "bias": nn.Parameter(torch.zeros(1, width)),
            }
            self.relations[index] = nn.Linear(width, width)

    def forward(self, x, index: int):
        affine = self.affine[index]
        return self.relations[index](x * affine["weight"] + affine["bias"])


class Corrected(nn.Module):
    def __init__(self, relations, width):
        super().__init__()
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        self.relations = nn.ModuleList()
        for _ in range(relations):
            self.weights.append(nn.Parameter(1.0 + torch.randn(1, width)))
            self.biases.append(nn.Parameter(torch.zeros(1, width)))
            self.relations.append(nn.Linear(width, width))

    def forward(self, x, index: int):
        return self.relations[index](x * self.weights[index] + self.biases[index])
