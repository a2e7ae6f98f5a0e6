import torch
from torch import nn


class Wrapper(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, x):
        return self.inner.forward(x)  # NN403


class InLoop(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)  # NN403
        return x


class ByIndex(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(width, width), nn.ReLU())

    def forward(self, x):
        return self.net[1].forward(self.net[0](x))  # NN403


class Argument(nn.Module):
    def __init__(self, encoder: nn.Module, width: int):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        z = self.encoder.forward(x)  # NN403
        return self.head(z)


class Grandchild(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.argument = Argument(nn.Linear(width, width), width)

    def forward(self, x):
        return self.argument.head.forward(x)  # NN403


@torch.no_grad()
def evaluate(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return model.forward(x)  # NN403
