"""NN202, NN203, NN204: what forward keeps and replaces."""

from collections import deque

import torch
from stated import WithLinear
from torch import Tensor, nn

from .entry import breaks


@breaks("NN202", at="last")
class KeepsActivation(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        self.last = self.linear(x)
        return self.last * 2


@breaks("NN202", at="hidden")
class KeepsHiddenState(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(4, 4)
        self.hidden: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.hidden is None or self.hidden.shape[0] != x.shape[0]:
            self.hidden = torch.zeros_like(x)
        self.hidden = self.cell(x, self.hidden)
        return self.hidden


@breaks("NN202", at="losses[0]")
class CollectsLosses(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.losses: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        self.losses.append(y.square().mean())
        return y


@breaks("NN202", at="seen")
class CollectsDetached(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        self.seen.append(y.detach())
        return y


@breaks("NN202", at="history")
class CollectsInQueue(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.history: deque[Tensor] = deque()

    def forward(self, x: Tensor) -> Tensor:
        self.history.append(x.detach().mean())
        return self.linear(x)


@breaks("NN202", at="sizes")
class CollectsNumbers(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(x.shape[0])
        return self.linear(x)


class Memory:
    last: Tensor | None = None


@breaks("NN202", at="memory.last")
class KeepsInObject(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()

    def forward(self, x: Tensor) -> Tensor:
        self.memory.last = self.linear(x)
        return self.memory.last + 1


@breaks("NN202", at="mean")
class GraphInBuffer(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        if self.training:
            self.mean.mul_(0.9).add_(0.1 * y.mean(0))
        return y


@breaks("NN202", at="inner.last")
class ChildKeepsActivation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = KeepsActivation()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


@breaks("NN203", at="count")
class CountsByRebinding(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.count = self.count + 1
        return self.linear(x)


@breaks("NN203", at="mean")
class AveragesByRebinding(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        self.mean = 0.9 * self.mean + 0.1 * y.mean(0)
        return y


@breaks("NN203", at="mask")
class CachesMask(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones(1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.mask.shape[0] != x.shape[0]:
            self.mask = torch.ones(x.shape[0], 1, device=x.device, dtype=x.dtype)
        return self.linear(x) * self.mask


@breaks("NN204", at="second")
class SwapsParameters(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.ones(4))
        self.second = nn.Parameter(torch.full((4,), 2.0))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.first, self.second = self.second, self.first
        return x * self.first + self.second


@breaks("NN204", at="weight")
class RebindsInTrain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def train(self, mode: bool = True) -> "RebindsInTrain":
        self.weight = nn.Parameter(self.weight.detach().clamp(-2, 2))
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


@breaks("NN204", at="weight")
class DeletesParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.detach()
        del self.weight
        self.weight = weight
        return x * self.weight
