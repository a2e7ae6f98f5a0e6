import torch
from torch import nn
from torch.nn import Linear as L


class EarlyModule(nn.Module):
    def __init__(self, width):
        self.linear = nn.Linear(width, width)  # NN102
        super().__init__()

    def forward(self, x):
        return self.linear(x)


class EarlyParameter(nn.Module):
    def __init__(self, width):
        self.width = width
        self.scale = nn.Parameter(torch.ones(width))  # NN102
        super(EarlyParameter, self).__init__()

    def forward(self, x):
        return x * self.scale


class EarlyBuffer(nn.Module):
    def __init__(self, width):
        self.register_buffer("mean", torch.zeros(width))  # NN102
        super().__init__()

    def forward(self, x):
        return x - self.mean


class EarlyAddModule(nn.Module):
    def __init__(self, width):
        self.add_module("linear", L(width, width))  # NN102
        nn.Module.__init__(self)

    def forward(self, x):
        return self.linear(x)


class EarlyHelper(nn.Module):
    def __init__(self, width):
        self._build(width)  # NN102
        super().__init__()

    def _build(self, width):
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class EarlyArgument(nn.Module):
    def __init__(self, encoder: nn.Module, width: int):
        self.encoder = encoder  # NN102
        super().__init__()
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(self.encoder(x))


class EarlyList(nn.Module):
    def __init__(self, width, depth):
        layers = [nn.Linear(width, width) for _ in range(depth)]
        self.layers = nn.ModuleList(layers)  # NN102
        super().__init__()

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class EarlyInBranch(nn.Module):
    def __init__(self, width, normalise):
        if normalise:
            self.norm = nn.LayerNorm(width)  # NN102
        else:
            self.norm = None
        super().__init__()

    def forward(self, x):
        return x if self.norm is None else self.norm(x)


class EarlyLocal(nn.Module):
    def __init__(self, width):
        scale = nn.Parameter(torch.ones(width))
        self.scale = scale  # NN102
        super().__init__()

    def forward(self, x):
        return x * self.scale
