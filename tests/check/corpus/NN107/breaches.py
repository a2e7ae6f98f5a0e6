import torch
from torch import nn
from torch.nn import Parameter


class Scaled(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width)) * 0.02  # NN107

    def forward(self, x):
        return x * self.weight


class Moved(nn.Module):
    def __init__(self, width, device):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width)).to(device)  # NN107

    def forward(self, x):
        return x * self.weight


class Halved(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.table = Parameter(torch.zeros(width, 4)).half()  # NN107

    def forward(self, tokens):
        return self.table[tokens]


class Reshaped(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width)).view(1, -1)  # NN107

    def forward(self, x):
        return x * self.weight


class Swapped(nn.Module):
    def __init__(self, width):
        super().__init__()
        weight = nn.Parameter(torch.randn(width, 2 * width))
        self.weight = weight.t()  # NN107

    def forward(self, x):
        return x @ self.weight


class Divided(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = 0.02 * nn.Parameter(torch.ones(width))  # NN107

    def forward(self, x):
        return x * self.scale


class Negative(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.decay = -Parameter(torch.ones(width))  # NN107

    def forward(self, x):
        return torch.exp(x * self.decay)


class TypeChanged(nn.Module):
    def __init__(self, width, dtype=torch.bfloat16):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width)).to(dtype=dtype)  # NN107

    def forward(self, x):
        return x * self.weight
