"""pytorch/pytorch#29807: a list of registered buffers does not move to CUDA.

The buffers move and are new tensors then; the list keeps the old ones.
"""

import torch
import torch.nn as nn


class Reported(nn.Module):
    def __init__(self):
        super().__init__()
        values = [torch.rand(1, 3) for _ in range(4)]
        self.values = []  # NN201
        for index, value in enumerate(values):
            self.register_buffer("value_{}".format(index), value)
            self.values.append(getattr(self, "value_{}".format(index)))

    def forward(self, x):
        return x + sum(self.values)


class Corrected(nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 4
        for index in range(self.count):
            self.register_buffer("value_{}".format(index), torch.rand(1, 3))

    def forward(self, x):
        return x + sum(getattr(self, "value_{}".format(index)) for index in range(self.count))
