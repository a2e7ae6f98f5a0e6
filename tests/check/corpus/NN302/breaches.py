import torch
import torch as t
from torch import nn


class Arange(nn.Module):
    def forward(self, x):
        return x * torch.arange(x.shape[-1])  # NN302


class Mask(nn.Module):
    def forward(self, x):
        length = x.shape[1]
        mask = torch.tril(torch.ones(length, length, dtype=torch.bool))  # NN302
        return x.masked_fill(~mask, 0.0)


class InHelper(nn.Module):
    def _start(self, batch):
        return torch.zeros(batch, 4)  # NN302

    def forward(self, x):
        return x + self._start(x.shape[0])


class FromList(nn.Module):
    def __init__(self, mean):
        super().__init__()
        self.mean = list(mean)

    def forward(self, x):
        return x - torch.tensor(self.mean)  # NN302


class Noise(nn.Module):
    def forward(self, x):
        if self.training:
            x = x + 0.1 * torch.randn(x.shape, dtype=x.dtype)  # NN302
        return x


class Aliased(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.cell = nn.GRUCell(width, width)

    def forward(self, x):
        state = t.zeros(x.shape[0], x.shape[-1])  # NN302
        return self.cell(x, state)


class Concatenated(nn.Module):
    def forward(self, x):
        ones = torch.ones(len(x), 1)  # NN302
        return torch.cat([x, ones], dim=1)


class Filled(nn.Module):
    def forward(self, x):
        return torch.where(x > 0, x, torch.full((x.shape[-1],), 0.1))  # NN302


class IndexAndValue(nn.Module):
    # The same numbers index and are added: the sum is where it breaks.
    def forward(self, x):
        position = torch.arange(x.shape[1])  # NN302
        return x[:, position] + position


class InStaticMethod(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    @staticmethod
    def _ramp(x):
        x = x.relu()
        return torch.arange(4) * x  # NN302

    def forward(self, x):
        return self._ramp(self.linear(x))


class PositionalOnly(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.ones(width))

    def forward(me, x, /, power=1):
        x = me.linear(x) * me.scale
        return torch.arange(4) * x**power  # NN302
