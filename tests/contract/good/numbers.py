"""Numbers of all sorts: complex ones, large ones that fit, and those that a cache may keep."""

import functools

import torch
from stated import WithLinear
from torch import Tensor, nn

from .entry import keeps


@keeps()
class ComplexParameter(nn.Module):
    """`double` leaves complex parameters in single precision."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, 4, dtype=torch.complex64))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return (x.to(self.weight.dtype) @ self.weight).abs()


@keeps(inputs=lambda batch: (torch.randn(batch, 4, dtype=torch.complex64),))
class ComplexInAndOut(nn.Module):
    """A rotation by learnt phases; what it multiplies has no half precision."""

    def __init__(self) -> None:
        super().__init__()
        self.phase = nn.Parameter(torch.empty(4))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.phase)

    def forward(self, z: Tensor) -> Tensor:
        return z * torch.complex(self.phase.cos(), self.phase.sin())


@keeps(opt_out={"empty_batch": "torch transforms no empty batch"})
class Fourier(WithLinear):
    """A filter of frequencies: torch transforms no bfloat16."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.irfft(torch.fft.rfft(self.linear(x)), n=4)


@keeps()
class ComplexInside(WithLinear):
    """Complex numbers that only `forward` sees, made of a real and an imaginary part."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.complex(self.linear(x), x).angle()


@keeps(inputs=lambda batch: (torch.randn(batch, 4), torch.ones(4)))
class LargeConstantsThatFit(WithLinear):
    """Large is what a small number is times, and what others are compared with."""

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        scores = self.linear(x) * 1e-5 * 1e5
        return torch.where(seen > -1e9, scores, torch.finfo(x.dtype).min).softmax(-1)


@functools.lru_cache(maxsize=8)
def ramp(length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.linspace(0, 1, length, device=device, dtype=dtype)[:, None]


@functools.cache
def half(length: int) -> int:
    return length // 2


@keeps(inputs=lambda batch: (torch.randn(batch, 5, 4),), shape=lambda batch: (batch, 5, 4))
class FunctionsWithCaches(WithLinear):
    """One keeps few tensors, by all that decides them; the other one numbers only."""

    def forward(self, x: Tensor) -> Tensor:
        table = ramp(x.shape[1], x.device, x.dtype)
        return self.linear(x) + table.roll(half(x.shape[1]), 0)
