"""lyuwenyu/RT-DETR#677: a position table is copied to the GPU at each forward.

`setattr` under a name with a number, in a helper of the constructor; the buffer is a comment.
"""

import torch
from torch import nn


class Reported(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.count = len(sizes)
        self._reset_parameters(sizes)

    def _reset_parameters(self, sizes):
        for index, size in enumerate(sizes):
            table = torch.linspace(0, 1, size).sin()
            setattr(self, f"table{index}", table)  # NN201

    def forward(self, xs):
        tables = [getattr(self, f"table{index}").to(xs[0].device) for index in range(self.count)]
        return [x + table for x, table in zip(xs, tables)]


class Corrected(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.count = len(sizes)
        for index, size in enumerate(sizes):
            table = torch.linspace(0, 1, size).sin()
            self.register_buffer(f"table{index}", table, persistent=False)

    def forward(self, xs):
        tables = [getattr(self, f"table{index}") for index in range(self.count)]
        return [x + table for x, table in zip(xs, tables)]
