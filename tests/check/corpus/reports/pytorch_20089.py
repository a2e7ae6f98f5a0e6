"""pytorch/pytorch#20089: a parameter allocated on a GPU is not one of the network's.

`.cuda()` on the parameter makes a copy, which the module does not register.
"""

import torch
import torch.nn as nn


class Reported(nn.Module):
    def __init__(self):
        super(Reported, self).__init__()
        self.w = nn.Parameter(torch.ones(10)).cuda()  # NN107 NN301

    def forward(self, x):
        return x * self.w


class Corrected(nn.Module):
    def __init__(self):
        super(Corrected, self).__init__()
        self.w = nn.Parameter(torch.ones(10))

    def forward(self, x):
        return x * self.w
