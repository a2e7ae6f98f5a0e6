import torch
from torch import nn


class Item(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("limit", torch.ones(1))

    def forward(self, x):
        return x.clamp(max=self.limit.item())  # NN404


class Float(nn.Module):
    def forward(self, x):
        return x / float(x.norm())  # NN404


class Cpu(nn.Module):
    def forward(self, x):
        order = x.mean(-1).cpu().argsort()  # NN404
        return x[order]


class Numpy(nn.Module):
    def forward(self, x):
        weights = x.detach().numpy()  # NN404
        return x * weights.shape[0]


class ToList(nn.Module):
    def forward(self, x, lengths):
        return [row[:length] for row, length in zip(x, lengths.tolist())]  # NN404


class InHelper(nn.Module):
    def _count(self, mask):
        return int(mask.sum())  # NN404

    def forward(self, x, mask):
        return x.sum() / self._count(mask)


class Branch(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        y = self.linear(x)
        if y.abs().max() > 100.0:  # NN404
            y = y / 2
        return y
