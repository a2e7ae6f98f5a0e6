import torch
from torch import nn


class InPlaceMethod(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def clip(self):
        self.weight.data.clamp_(min=0)  # NN205

    def forward(self, x):
        return x * self.weight


class Assigned(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.linear.weight.data = torch.eye(width)  # NN205

    def forward(self, x):
        return self.linear(x)


class Indexed(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.embed.weight.data[0] = 0.0  # NN205

    def forward(self, tokens):
        return self.embed(tokens)


class Augmented(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, x):
        if self.training:
            self.mean.data += x.detach().mean(0)  # NN205
        return x - self.mean


class Initialised(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        for layer in self.layers:
            layer.weight.data.normal_(0.0, 0.02)  # NN205
            layer.bias.data.zero_()  # NN205

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Copied(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.online = nn.Linear(width, width)
        self.target = nn.Linear(width, width)

    def follow(self, rate):
        for slow, fast in zip(self.target.parameters(), self.online.parameters()):
            slow.data.mul_(1 - rate).add_(fast.data, alpha=rate)  # NN205

    def forward(self, x):
        return self.online(x) - self.target(x)


def decay(model: nn.Module, factor: float) -> None:
    for parameter in model.parameters():
        parameter.data.mul_(factor)  # NN205
