import torch
import torch.nn.functional as F
from torch import nn


class Augmented(nn.Module):
    def forward(self, x):
        x -= x.mean(-1, keepdim=True)  # NN401
        return x


class ByIndex(nn.Module):
    def forward(self, x, mask):
        x[mask] = 0.0  # NN401
        return x.sum(-1)


class Method(nn.Module):
    def forward(self, x):
        return x.relu_()  # NN401


class Inplace(nn.Module):
    def forward(self, x):
        return F.relu(x, inplace=True)  # NN401


class FirstLayer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.act = nn.ReLU(inplace=True)
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(self.act(x))  # NN401


class OnView(nn.Module):
    def forward(self, x):
        flat = x.view(x.shape[0], -1)
        flat.mul_(2.0)  # NN401
        return flat


class OnSlice(nn.Module):
    def forward(self, x):
        first = x[:, 0]
        first += 1.0  # NN401
        return first


class SecondInput(nn.Module):
    def forward(self, x, state):
        state.lerp_(x, 0.5)  # NN401
        return x - state


class OutArgument(nn.Module):
    def forward(self, x):
        return torch.exp(x, out=x)  # NN401


class InHelper(nn.Module):
    def _clip(self, x):
        return x.clamp_(0, 1)  # NN401

    def forward(self, x):
        return self._clip(x)


class Function(nn.Module):
    def forward(self, x):
        torch.relu_(x)  # NN401
        return x


class FirstOfSequential(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(width, width))

    def forward(self, x):
        return self.layers(x)  # NN401
