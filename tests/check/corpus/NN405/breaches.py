import torch
from torch import nn


class Score(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, x):
        return self.linear(x).squeeze()  # NN405


class Function(nn.Module):
    def forward(self, x):
        return torch.squeeze(x.mean(-1, keepdim=True))  # NN405


class InHelper(nn.Module):
    def _pool(self, x):
        x = nn.functional.adaptive_avg_pool2d(x, 1)
        return x.squeeze()  # NN405

    def forward(self, x):
        return self._pool(x)


class InChain(nn.Module):
    def forward(self, x, mask):
        return x.masked_fill(mask.squeeze(), 0.0).unsqueeze(1)  # NN405


class InPlace(nn.Module):
    def forward(self, x):
        y = 2 * x
        y.squeeze_()  # NN405
        return y


class InComprehension(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, 1) for _ in range(heads))

    def forward(self, x):
        return torch.stack([head(x).squeeze() for head in self.heads])  # NN405
