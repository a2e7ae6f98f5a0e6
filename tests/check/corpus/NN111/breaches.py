import torch
from torch import nn
from torch.nn import BatchNorm1d


class Default(nn.Module):
    def __init__(self, width, activation=nn.PReLU()):  # NN111
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.activation = activation

    def forward(self, x):
        return self.activation(self.linear(x))


class KeywordOnly(nn.Module):
    def __init__(
        self,
        width: int,
        *,
        norm: nn.Module = BatchNorm1d(8),  # NN111
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 8)
        self.norm = norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.linear(x))


class ClassAttribute(nn.Module):
    shared = nn.Linear(4, 4)  # NN111

    def forward(self, x):
        return self.shared(x)


class TensorDefault(nn.Module):
    def __init__(self, mean=torch.zeros(3)):  # NN111
        super().__init__()
        self.register_buffer("mean", mean)

    def forward(self, x):
        return x - self.mean


class TensorAttribute(nn.Module):
    kernel = torch.tensor([1.0, 2.0, 1.0])  # NN111

    def forward(self, x):
        return x * self.kernel.to(x.device)


class Block(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


class OwnClass(nn.Module):
    def __init__(self, encoder=Block(), head=None):  # NN111
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(4, 1) if head is None else head

    def forward(self, x):
        return self.head(self.encoder(x))


class Composite(nn.Module):
    def __init__(self, net=nn.Sequential(nn.Linear(4, 4), nn.ReLU())):  # NN111
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)


class ParameterAttribute(nn.Module):
    scale: nn.Parameter = nn.Parameter(torch.ones(1))  # NN111

    def forward(self, x):
        return x * self.scale
