import torch
from torch import nn


class StatelessDefault(nn.Module):
    def __init__(self, width, act=nn.ReLU(), pool=nn.Identity()):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.act = act
        self.pool = pool

    def forward(self, x):
        return self.pool(self.act(self.linear(x)))


class ClassDefault(nn.Module):
    def __init__(self, width, norm: type[nn.Module] = nn.BatchNorm1d):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = norm(width)

    def forward(self, x):
        return self.norm(self.linear(x))


class NoneDefault(nn.Module):
    def __init__(self, width, activation: nn.Module | None = None):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.activation = nn.PReLU() if activation is None else activation

    def forward(self, x):
        return self.activation(self.linear(x))


class PlainDefaults(nn.Module):
    width: int = 4
    names: tuple[str, ...] = ("a", "b")
    dtype = torch.float32
    kind = nn.Linear

    def __init__(self, size=torch.Size([3]), dtype=torch.float32, device=None):
        super().__init__()
        self.size = size
        self.linear = self.kind(self.width, 1, device=device, dtype=dtype)

    def forward(self, x):
        return self.linear(x)


class Annotated(nn.Module):
    # Says that there is one, makes none.
    mean: torch.Tensor
    head: nn.Linear

    def __init__(self, width):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(x - self.mean)


class Factory(nn.Module):
    # A lambda that makes one is a factory, and is not kept.
    def __init__(self, width, make=lambda: nn.Linear(4, 4)):
        super().__init__()
        self.width = width
        self.layer = make()

    def forward(self, x):
        return self.layer(x)


class Sizes:
    # Not a module: a table of constants.
    kernel = torch.tensor([1.0, 2.0, 1.0])


class StatelessOwn(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


class OwnStatelessDefault(nn.Module):
    def __init__(self, width, act=StatelessOwn()):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.act = act

    def forward(self, x):
        return self.act(self.linear(x))


class LossDefault(nn.Module):
    def __init__(self, width, loss=nn.CrossEntropyLoss()):
        super().__init__()
        self.linear = nn.Linear(width, 2)
        self.loss = loss

    def forward(self, x, target):
        return self.loss(self.linear(x), target)
