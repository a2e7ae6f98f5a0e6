import torch
import torch.nn as tnn
from torch import nn
from torch.nn import Embedding


class Direct(nn.Module):
    def forward(self, x):
        return nn.Linear(x.shape[-1], 4)(x)  # NN106


class Stored(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        self.project = nn.Linear(x.shape[-1], self.width)  # NN106
        return self.project(x)


class ThroughLocal(tnn.Module):
    def forward(self, x):
        norm = tnn.BatchNorm1d(x.shape[1])  # NN106
        return norm(x)


class OnFirstCall(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = None

    def forward(self, x):
        if self.conv is None:
            self.conv = nn.Conv2d(x.shape[1], 8, 3).to(x.device)  # NN106
        return self.conv(x)


class ByHelper(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.words = words

    def _embed(self, tokens):
        table = Embedding(self.words, 8)  # NN106
        return table(tokens)

    def forward(self, tokens):
        return self._embed(tokens).mean(1)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.scale


class OwnClass(nn.Module):
    def forward(self, x):
        return Block(x.shape[-1])(x)  # NN106


class InSequential(nn.Module):
    def forward(self, x):
        net = nn.Sequential(nn.Linear(4, 4), nn.ReLU())  # NN106
        return net(x)


class InLoop(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.depth = depth

    def forward(self, x):
        for _ in range(self.depth):
            x = nn.LayerNorm(x.shape[-1], device=x.device)(x)  # NN106
        return x


class HasParameters(nn.Module):
    # PReLU looks like ReLU and has a weight.
    def forward(self, x):
        return nn.PReLU()(x)  # NN106
