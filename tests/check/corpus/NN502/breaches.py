import torch
from torch import jit, nn
from torch.jit import trace


def ship(model: nn.Module, x: torch.Tensor) -> None:
    torch.jit.script(model).save("model.pt")  # NN502
    torch.jit.trace(model, x)  # NN502


def ship_frozen(model: nn.Module) -> nn.Module:
    scripted = jit.script(model.eval())  # NN502
    return torch.jit.freeze(scripted)  # NN502


def ship_by_example(model: nn.Module, x: torch.Tensor) -> None:
    trace(model, (x,))  # NN502


@torch.jit.script  # NN502
def swish(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(x)


class Scripted(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = torch.jit.script(nn.Linear(width, width))  # NN502

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return swish(self.linear(x))
