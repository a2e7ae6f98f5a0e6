import torch
from torch import nn


def ship(model: nn.Module, x: torch.Tensor) -> None:
    torch.export.save(torch.export.export(model, (x,)), "model.pt2")
    torch.compile(model)(x)


def load_old(name: str) -> nn.Module:
    # Somebody else's file.
    return torch.jit.load(name)


class Both(nn.Module):
    # Stays usable for callers who script.
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    @torch.jit.unused
    def describe(self) -> str:
        return repr(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.jit.is_scripting() or torch.jit.is_tracing():
            return self.linear(x)
        return self.linear(x).clone()


def total(x: torch.Tensor) -> torch.Tensor:
    # The sum of the diagonal.
    return torch.trace(x) + x.trace()


class jit:
    # Another compiler of that name.
    @staticmethod
    def script(function):
        return function


@jit.script
def double(x: float) -> float:
    return 2 * x
