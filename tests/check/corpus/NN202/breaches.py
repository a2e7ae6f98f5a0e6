import torch
import torch.nn.functional as F
from torch import nn


class Activation(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        self.gate = torch.sigmoid(self.linear(x))  # NN202
        return x * self.gate


class LossList(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, 1)
        self.losses = []

    def forward(self, x, target):
        loss = F.mse_loss(self.linear(x), target)
        self.losses.append(loss)  # NN202
        return loss


class Total(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, 1)
        self.total = 0.0

    def forward(self, x):
        loss = self.linear(x).mean()
        self.total += loss  # NN202
        return loss


class HiddenState(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.cell = nn.GRUCell(width, width)
        self.state = None

    def forward(self, x):
        self.state = self.cell(x, self.state)  # NN202
        return self.state


class InDict(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.features = {}

    def forward(self, x):
        x = self.first(x)
        self.features["first"] = x  # NN202
        return self.second(x)


class GrowsDetached(nn.Module):
    # No graph is kept, but each call adds a tensor.
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.seen = []

    def forward(self, x):
        x = self.linear(x)
        self.seen.append(x.detach())  # NN202
        return x


class InHelper(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def _remember(self, scores):
        self.scores = scores.softmax(-1)  # NN202

    def forward(self, x):
        scores = self.linear(x)
        self._remember(scores)
        return scores @ x


class SideLoss(nn.Module):
    # What a router is to be punished for, left on the module for the loop to fetch.
    def __init__(self, width, experts):
        super().__init__()
        self.router = nn.Linear(width, experts)

    def forward(self, x):
        weights = self.router(x).softmax(-1)
        setattr(self, "balance_loss", weights.mean(0).pow(2).sum())  # NN202
        return weights


class Unpacked(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.lstm = nn.LSTM(width, width)

    def forward(self, x):
        output, (self.hidden, self.cell) = self.lstm(x)  # NN202
        return output


class OnChild(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.encoder = nn.Linear(width, width)
        self.decoder = nn.Linear(width, width)

    def forward(self, x):
        z = self.encoder(x)
        self.decoder.context = z  # NN202
        return self.decoder(z)
