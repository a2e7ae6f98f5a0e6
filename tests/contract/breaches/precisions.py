"""NN303: what half precision loses."""

import torch
from stated import WithLinear
from torch import Tensor, nn

from .entry import breaks


def sequences(batch: int) -> tuple[Tensor]:
    return (torch.randn(batch, 5, 4),)


def same_sequences(batch: int) -> tuple[int, ...]:
    return (batch, 5, 4)


@breaks("NN303", at="rates", inputs=sequences, shape=same_sequences)
class RoundsRates(WithLinear):
    """The stated length is too short to show it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rates", torch.tensor([0.7, 0.3, 0.07, 0.03]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)
        return self.linear(x) + (steps[:, None] * self.rates.float()).sin().to(x.dtype)


@breaks("NN303", at="precisions.py", inputs=sequences, shape=same_sequences)
class RoundsSteps(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1], device=x.device, dtype=x.dtype)
        return self.linear(x) + steps[:, None].float().sin().to(x.dtype)


@breaks("NN303", at="table")
class RoundsTable(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.tensor([1001.3, 2003.7, 5007.1, 9011.9]))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.table.float().cos().to(x.dtype)


@breaks("NN303", at="precisions.py")
class MasksWithLargeConstant(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).masked_fill(x > 1, -1e9).softmax(-1)


@breaks("NN303", at="precisions.py", inputs=lambda batch: (torch.randn(batch, 4), torch.ones(4)))
class MasksByProduct(WithLinear):
    """Nothing is masked in the stated inputs, so that nothing shows in the output."""

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        return (self.linear(x) + (1.0 - seen) * -1e9).softmax(-1)


@breaks("NN303", at="precisions.py")
class MasksByChoice(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 100, -1e9, self.linear(x)).softmax(-1)


@breaks("NN303", at="precisions.py")
class OverflowsToInfinity(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        mask = torch.full_like(x, 300.0).square() * (x[:, :1] > 0)
        return (self.linear(x) - mask).softmax(-1)


@breaks("NN303", at="precisions.py")
class PromotesByTable(WithLinear):
    def forward(self, x: Tensor) -> Tensor:
        table = torch.linspace(0, 1, 4, device=x.device, dtype=torch.float32)
        return self.linear(x) + table


@breaks("NN303", at="turns")
class CutsTurns(WithLinear):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("turns", torch.polar(torch.ones(4), torch.linspace(0, 1, 4)))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.turns.imag.to(x.dtype)


@breaks("NN303", at="inner.table")
class ChildRoundsTable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = RoundsTable()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).tanh()
