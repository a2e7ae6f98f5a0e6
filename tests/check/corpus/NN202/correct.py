import torch
from torch import nn


class Detached(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        gate = torch.sigmoid(self.linear(x))
        self.gate = gate.detach()
        return x * gate


class UnderNoGrad(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        y = self.linear(x)
        with torch.no_grad():
            self.norm = y.norm(dim=-1)
        return y


class NoGraph(nn.Module):
    # Indices and shapes have no history.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        scores = self.linear(x)
        self.chosen = scores.argmax(-1)
        self.last_shape = scores.shape
        return scores


class Frozen(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    @torch.no_grad()
    def forward(self, x):
        self.features = self.linear(x)
        return self.features


class Released(nn.Module):
    # Kept for the time of the call only.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self._context = None

    def _mix(self, x):
        return x + self._context

    def forward(self, x):
        self._context = self.linear(x)
        y = self._mix(x)
        self._context = None
        return y


class Returned(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.cell = nn.GRUCell(width, width)

    def forward(self, x, state=None):
        state = self.cell(x, state)
        return state, state


class LocalList(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, x):
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return features


class OutsideForward(nn.Module):
    # A method for looking inside, which forward never calls.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def inspect(self, x):
        self.inside = self.linear(x)
        return self.inside

    def forward(self, x):
        return self.linear(x)


class Trainer:
    # No module.
    def __init__(self, model):
        self.model = model
        self.outputs = []

    def forward(self, x):
        y = self.model(x)
        self.outputs.append(y)
        return y


class Copied(nn.Module):
    # Into a buffer, in place, without its history.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.register_buffer("last", torch.zeros(width))

    def forward(self, x):
        y = self.linear(x)
        self.last.copy_(y.detach().mean(0))
        return y - self.last
