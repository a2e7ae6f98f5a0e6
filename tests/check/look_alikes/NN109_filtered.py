"""A list of modules made of another one, each of them once."""

from torch import nn


class Pruned(nn.Module):
    """Keeps some norms and drops the others."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(count)])

    def prune(self, kept: list[int]) -> None:
        self.norms = nn.ModuleList(
            [norm if i in kept else nn.Identity() for i, norm in enumerate(self.norms)]
        )

    def forward(self, x):
        for norm in self.norms:
            x = norm(x)
        return x
