"""pytorch/pytorch#17484: a parameter is not registered if `.to(device)` is used.

`.to` with a literal device on the parameter: the state dict was empty, on a GPU alone.
"""

import torch
from torch import nn


class Reported(nn.Module):
    def __init__(self):
        super(Reported, self).__init__()
        self.offset = torch.nn.Parameter(torch.rand(5)).to("cuda")  # NN107 NN301

    def forward(self, x):
        return x + self.offset


class Corrected(nn.Module):
    def __init__(self, device=None):
        super(Corrected, self).__init__()
        self.offset = torch.nn.Parameter(torch.rand(5, device=device))

    def forward(self, x):
        return x + self.offset
