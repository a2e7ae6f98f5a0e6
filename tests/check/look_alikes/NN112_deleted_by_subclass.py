"""A layer of the published weights that the subclass in use takes out again."""

import torch
from torch import nn


class Network(nn.Module):
    """The published network, without its last step."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Linear(8, 16)
        self.fc = nn.Linear(16, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stem(x)


class Encoder(Network):
    """Its features."""

    def __init__(self) -> None:
        super().__init__(classes=10)
        del self.fc
