import torch
from torch import nn


class Wrapper(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, x):
        return self.inner.forward(x)  # NN403


class InLoop(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)  # NN403
        return x


class ByIndex(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(width, width), nn.ReLU())

    def forward(self, x):
        return self.net[1].forward(self.net[0](x))  # NN403


class Argument(nn.Module):
    def __init__(self, encoder: nn.Module, width: int):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        z = self.encoder.forward(x)  # NN403
        return self.head(z)


class Grandchild(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.argument = Argument(nn.Linear(width, width), width)

    def forward(self, x):
        return self.argument.head.forward(x)  # NN403


@torch.no_grad()
def evaluate(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return model.forward(x)  # NN403


model = Wrapper(3)
print(model.forward(torch.ones(3)))  # NN403
model = model.to("cpu").eval()
print(model.inner.forward(torch.ones(3)))  # NN403
print(nn.Sequential(nn.Linear(3, 3)).forward(torch.ones(3)))  # NN403


def use_of_global(x: torch.Tensor) -> torch.Tensor:
    return model.forward(x)  # NN403


def build(width: int, deep: bool) -> nn.Module:
    return InLoop(width, 8) if deep else Wrapper(width)


def use_of_locals(x: torch.Tensor, deep: bool) -> torch.Tensor:
    built = build(3, deep)
    chosen = None
    if deep:
        chosen = InLoop(3, 8)
    else:
        chosen = Wrapper(3)

    def inner(y: torch.Tensor) -> torch.Tensor:
        return chosen.forward(y)  # NN403

    return built.forward(x) + inner(x)  # NN403


class Trainer:
    # No module, though it has one.
    def __init__(self, width: int, critic: nn.Module) -> None:
        self.net = Wrapper(width)
        self.score = critic.forward(torch.ones(3))  # NN403

    def step(self, x: torch.Tensor) -> torch.Tensor:
        return self.net.forward(x)  # NN403
