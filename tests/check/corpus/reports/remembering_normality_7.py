"""SimonThomine/RememberingNormality#7: keys and values are never trained.

Meant as parameters, made as tensors, and put on a device by its name.
"""

import torch
from torch import nn


class Reported(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        self.keys = torch.randn(length, width).to("cuda")  # NN201 NN301
        self.values = torch.randn(length, width).to("cuda")  # NN201 NN301

    def forward(self, x):
        return (x @ self.keys.t()).softmax(-1) @ self.values


class Corrected(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        self.keys = nn.Parameter(torch.randn(length, width))
        self.values = nn.Parameter(torch.randn(length, width))

    def forward(self, x):
        return (x @ self.keys.t()).softmax(-1) @ self.values
