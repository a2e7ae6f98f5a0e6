import numpy as np
import torch
from torch import nn


class Named(nn.Module):
    def forward(self, x):
        x = x.squeeze(-1)
        x = torch.squeeze(x, 1)
        x = torch.squeeze(x, dim=1)
        return x.squeeze(dim=(1, 2))


class Flattened(nn.Module):
    def forward(self, x):
        return x.flatten(1).unsqueeze(0)


class Fire(nn.Module):
    # A layer that is called squeeze.
    def __init__(self, width):
        super().__init__()
        self.squeeze = nn.Conv2d(width, width // 2, 1)
        self.expand = nn.Conv2d(width // 2, width, 3, padding=1)

    def forward(self, x):
        return self.expand(self.squeeze(x))


class OwnMethod(nn.Module):
    def squeeze(self):
        return 2

    def forward(self, x):
        return x * self.squeeze()


class OutsideForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def weights(self):
        return self.linear.weight.squeeze()

    def forward(self, x):
        return self.linear(x)


def plot(values: torch.Tensor) -> np.ndarray:
    return np.squeeze(values.squeeze().numpy())
