"""pytorch/pytorch#54580: `deepcopy(model)` fails after a forward.

A method that forward calls sets the name to None first, and keeps its result on it.
"""

import torch.nn as nn


class Reported(nn.Module):
    def __init__(self):
        super(Reported, self).__init__()
        self.conv1 = nn.Conv2d(1, 2, 3)
        self.conv2 = nn.Conv2d(2, 1, 3)

    def forward(self, x):
        return self.compute(x)

    def compute(self, x):
        self.result = None
        x = self.conv2(self.conv1(x))
        self.result = x  # NN202
        return self.result


class Corrected(nn.Module):
    def __init__(self):
        super(Corrected, self).__init__()
        self.conv1 = nn.Conv2d(1, 2, 3)
        self.conv2 = nn.Conv2d(2, 1, 3)

    def forward(self, x):
        return self.compute(x)

    def compute(self, x):
        return self.conv2(self.conv1(x))
