"""dreamquark-ai/tabnet#578: a matrix made in `forward`, no buffer, on the CPU.

The first call makes it and leaves it on a plain attribute for the ones that follow.
"""

import torch


class Reported(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width
        self.norm = torch.nn.BatchNorm1d(width)

    def forward(self, x):
        if not hasattr(self, "groups"):
            self.groups = torch.eye(self.width)  # NN206 NN302
        return self.norm(x) @ self.groups


class Corrected(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(width)
        self.register_buffer("groups", torch.eye(width), persistent=False)

    def forward(self, x):
        return self.norm(x) @ self.groups
