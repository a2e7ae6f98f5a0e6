"""A tensor that a helper of the framework leaves for `forward`, which takes it away again."""

import torch
from torch import nn


class Propagating(nn.Module):
    """Calls `message`, as frameworks of graphs do."""

    def propagate(self, x: torch.Tensor) -> torch.Tensor:
        return self.message(x)

    def message(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Attention(Propagating):
    """Hands its weights from `message` to `forward`, and keeps none."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)
        self._alpha: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        out = self.propagate(x)
        alpha = self._alpha
        self._alpha = None
        return out, alpha

    def message(self, x: torch.Tensor) -> torch.Tensor:
        alpha = self.score(x).softmax(0)
        self._alpha = alpha
        return x * alpha
