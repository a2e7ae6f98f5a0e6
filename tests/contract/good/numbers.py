"""Modules of complex numbers, for which torch has fewer precisions."""

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
